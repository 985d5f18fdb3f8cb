"""Means, spreads and paired differences over seeds. The unit is the seed: one run of one allocator is one observation.

The interval of a difference is Student's t on the per-seed differences (pairing by seed removes what all allocators share:
the student, the slots, the teacher's answers). Below three pairs there is none: two numbers do not show their spread.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_PAIRS = 3
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over n seeds with its sample standard deviation (None for a single seed)."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of first − second over the n seeds that both have, with its 95 % paired-t interval (None below 3 pairs)."""

    mean: float
    interval: tuple[float, float] | None
    n: int

    @property
    def separated(self) -> bool:
        """Whether the interval exists and leaves out 0."""
        return self.interval is not None and not self.interval[0] <= 0.0 <= self.interval[1]


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and sample standard deviation; None where there is nothing to average."""
    if not values:
        return None
    return Estimate(mean=statistics.fmean(values), sd=statistics.stdev(values) if len(values) > 1 else None, n=len(values))


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The difference by seed, over the seeds that both have; None where they share none."""
    differences = estimate([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())])
    if differences is None:
        return None
    if differences.sd is None or differences.n < MIN_PAIRS:
        return Difference(mean=differences.mean, interval=None, n=differences.n)
    from scipy.special import stdtrit  # late: only a run with an interval to print pays for it

    half = float(stdtrit(differences.n - 1, (1 + CONFIDENCE) / 2)) * differences.sd / math.sqrt(differences.n)
    return Difference(mean=differences.mean, interval=(differences.mean - half, differences.mean + half), n=differences.n)
