"""Means, spreads and paired differences over seeds. The unit is the seed: one run of one allocator is one observation.

A difference is taken seed by seed: pairing removes what all allocators of a seed share (the student, the slots, the teacher's
answers). Its interval and p-value are Student's paired t. Below three pairs both are None: two numbers do not show their
spread. Differences without any spread (a deterministic rule, an unchanged program) are compared exactly, not tested: a t of
0/0 or x/0 says nothing.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_PAIRS = 3
CONFIDENCE = 0.95
_ROUNDING = 1e-12  # relative to the largest of them: the spread that subtracting doubles leaves behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over n seeds with its sample standard deviation (None for a single seed)."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of first − second over the n seeds that both have."""

    mean: float
    sd: float | None  # of the differences; None for a single pair
    n: int
    constant: bool  # no spread beyond rounding: nothing to test
    interval: tuple[float, float] | None  # 95 %, paired t; None below 3 pairs
    p_value: float | None  # two-sided, paired t; None below 3 pairs and if constant
    effect_size: float | None  # d_z = mean / sd; None likewise

    @property
    def separated(self) -> bool:
        """Whether the interval exists and excludes 0."""
        return self.interval is not None and not self.interval[0] <= 0.0 <= self.interval[1]


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and sample standard deviation; None if there is nothing to average."""
    if not values:
        return None
    return Estimate(mean=statistics.fmean(values), sd=statistics.stdev(values) if len(values) > 1 else None, n=len(values))


def differences_by_seed(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """The differences first − second of each seed that both have, in order of the seeds."""
    return {seed: first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())}


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The mean difference by seed, over the seeds that both have; None if they share no seed."""
    return difference_of(list(differences_by_seed(first, second).values()))


def difference_of(differences: Sequence[float]) -> Difference | None:
    """The mean of differences by seed, with its statistics; ValueError if a difference is not finite."""
    if not all(map(math.isfinite, differences)):
        raise ValueError("a difference is not finite")
    mean = estimate(differences)
    if mean is None:
        return None
    constant = is_constant(differences)
    if mean.sd is None or mean.n < MIN_PAIRS:
        return Difference(mean=mean.mean, sd=mean.sd, n=mean.n, constant=constant, interval=None, p_value=None, effect_size=None)
    if constant:
        exact = (mean.mean, mean.mean)
        return Difference(mean=mean.mean, sd=0.0, n=mean.n, constant=True, interval=exact, p_value=None, effect_size=None)
    from scipy.special import stdtr, stdtrit  # late: only a run with an interval to print pays for it

    error = mean.sd / math.sqrt(mean.n)
    half = float(stdtrit(mean.n - 1, (1 + CONFIDENCE) / 2)) * error
    return Difference(
        mean=mean.mean,
        sd=mean.sd,
        n=mean.n,
        constant=False,
        interval=(mean.mean - half, mean.mean + half),
        p_value=2 * float(stdtr(mean.n - 1, -abs(mean.mean) / error)),
        effect_size=mean.mean / mean.sd,
    )


def one_sided_bounds(differences: Sequence[float], *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(lower, upper): each holds the true mean on its side with that confidence; ValueError below two differences.

    Together they form the two-sided interval of confidence 2·confidence − 1. Differences without spread give their value twice.
    """
    mean = estimate(differences)
    if mean is None or mean.sd is None:
        raise ValueError("bounds need at least two differences")
    if is_constant(differences):
        return mean.mean, mean.mean
    from scipy.special import stdtrit

    half = float(stdtrit(mean.n - 1, confidence)) * mean.sd / math.sqrt(mean.n)
    return mean.mean - half, mean.mean + half


def is_constant(differences: Sequence[float]) -> bool:
    """Whether they differ by no more than rounding; a single one is constant."""
    return max(differences) - min(differences) <= _ROUNDING * max(1.0, *map(abs, differences))
