"""The verdict on one allocator's metric: identical, pass, regression or inconclusive (docs/gate.md).

An improvement is candidate − baseline by seed, in the metric's unit, with its sign turned where lower is better, so that below 0
is worse for every metric. `lo` and `hi` are its one-sided 95 % paired-t bounds, δ the margin, the least loss that matters:

    hi < 0 and mean ≤ −δ    regression: worse for certain, and by enough to matter
    lo > −δ                 pass: a loss that matters is ruled out
    otherwise               inconclusive

A point estimate alone would not do: failing wherever the mean of five seeds fell by half a standard deviation fails Φ(−0.5·√5) = 13 %
of unchanged projects.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from readbench.results.stats import MIN_PAIRS, difference_of, differences_by_seed, minimum_detectable, one_sided_bounds, seeds_needed
from readbench.suites.metric_names import Metric

_ROUNDING = 1e-12  # utilities are multiples of 1/questions: a drop of exactly δ must not hang on the last bit of a subtraction
SUSPICIOUS_SDS = 5  # a jump upwards by more standard deviations: a broken scorer raises scores too


class Status(StrEnum):
    """What the gate says, from the best to the worst."""

    IDENTICAL = "identical"
    PASS = "pass"  # noqa: S105 - no password
    INCONCLUSIVE = "inconclusive"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One allocator's metric, with the numbers that its status rests on."""

    allocator: str
    metric: str
    higher_is_better: bool
    margin: float
    status: Status
    seeds: tuple[int, ...]  # that both have
    missing_seeds: tuple[int, ...]  # of the baseline, which the run lacks
    mean_baseline: float  # over the shared seeds
    mean_run: float
    improvement: float  # mean, below 0 is worse
    bounds: tuple[float, float] | None  # of the improvement; None for a single seed
    detectable: float | None  # the least loss that these seeds tell from none in 80 % of cases
    seeds_needed: int | None  # to tell a loss of the margin from none in 80 % of cases; None beyond 1000 and for a single seed
    suspicious: bool  # a jump upwards that is too good

    @property
    def num_seeds(self) -> int:
        """Pairs that the verdict rests on."""
        return len(self.seeds)


def judge(allocator: str, metric: Metric, run: Mapping[int, float], baseline: Mapping[int, float], *, margin: float) -> Verdict:
    """The verdict over the seeds that both have, which must be one at least; one seed that differs is inconclusive."""
    differences = differences_by_seed(run, baseline)
    seeds = tuple(differences)
    improvements = [d if metric.higher_is_better else -d for d in differences.values()]
    improvement = difference_of(improvements)
    if improvement is None:
        raise ValueError("the run and its baseline share no seed")
    sd = None if len(seeds) == 1 else 0.0 if improvement.constant else improvement.sd
    bounds = None if sd is None else one_sided_bounds(improvements)
    return Verdict(
        allocator=allocator,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        margin=margin,
        status=status_of(improvements, margin=margin),
        seeds=seeds,
        missing_seeds=tuple(sorted(baseline.keys() - run.keys())),
        mean_baseline=sum(baseline[seed] for seed in seeds) / len(seeds),
        mean_run=sum(run[seed] for seed in seeds) / len(seeds),
        improvement=improvement.mean,
        bounds=bounds,
        detectable=None if sd is None else minimum_detectable(sd, len(seeds), sides=1),
        seeds_needed=None if sd is None else seeds_needed(sd, margin),
        suspicious=len(seeds) >= MIN_PAIRS and improvement.mean > max(margin, SUSPICIOUS_SDS * (sd or 0.0)),
    )


def status_of(improvements: Sequence[float], *, margin: float) -> Status:
    """The rule above, over the improvements by seed; below 3 seeds there is no spread to rely on."""
    if not any(improvements):
        return Status.IDENTICAL
    if len(improvements) < MIN_PAIRS:
        return Status.INCONCLUSIVE
    lo, hi = one_sided_bounds(improvements)
    floor = -margin + _ROUNDING
    if hi < 0 and math.fsum(improvements) / len(improvements) <= floor:
        return Status.REGRESSION
    return Status.PASS if lo > floor else Status.INCONCLUSIVE
