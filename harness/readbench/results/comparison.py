"""Compares allocators (or objectives, or budgets) with a reference, seed by seed, for `readbench compare` and the report.

Three families (docs/statistics.md). *Primary*: utility at full budget, one test for each candidate, not adjusted. *Capability*: the K
profile scores of a candidate, p-values adjusted together (Holm on the paired t, and also sign flips of the maximum).
*Exploratory*: all else, not adjusted, only a hint.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.base.errors import ConfigError, IncompleteRunError, near_match
from readbench.results.document.model import Results
from readbench.results.scores import metric_values, planned_seeds
from readbench.results.stats import (
    CONFIDENCE,
    MIN_PAIRS,
    difference_of,
    differences_by_seed,
    holm,
    iqm,
    max_t,
    minimum_detectable,
    probability_of_improvement,
    sign_flip,
    whole_seed_band,
)
from readbench.suites.metric_names import PRIMARY, PROFILE, Family, Metric, metrics_of

SCHEMA = 1
Values = Mapping[str, Mapping[int, float]]  # metric → seed → value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one candidate against the reference, over the n seeds that both completed.

    Differences are candidate − reference in the metric's own unit; wins are the seeds on which the candidate is
    better. Values that so few seeds, or differences without spread, cannot give are None.
    """

    metric: str
    family: Family
    higher_is_better: bool
    candidate: str
    reference: str
    n: int
    seeds: tuple[int, ...]
    missing_seeds: tuple[int, ...]  # planned for one of the two, not completed by both
    mean_candidate: float | None
    mean_reference: float | None
    mean_difference: float | None
    ci_low: float | None  # 95 %, paired t
    ci_high: float | None
    p_value: float | None  # two-sided, paired t
    p_adjusted: float | None  # primary: p_value; capability: Holm over the K scores; exploratory: None
    p_sign_flip: float | None  # two-sided, exact
    p_max_t: float | None  # capability: sign flips of the largest |t| of the K scores
    effect_size: float | None  # d_z
    wins: int
    losses: int
    ties: int
    mde: float | None  # smallest |difference| that n seeds with this spread detect with 80 % power

    @property
    def better(self) -> bool | None:
        """Whether the row shows the candidate to be better (True) or worse (False) than the reference; None if it shows neither.

        Shown: the interval excludes 0, and for a capability the adjusted p is also at most 5 %. An exploratory row shows nothing.
        """
        if self.family == "exploratory" or self.ci_low is None or self.ci_high is None or self.ci_low <= 0.0 <= self.ci_high:
            return None
        if self.p_adjusted is not None and self.p_adjusted > 1 - CONFIDENCE:
            return None
        return (self.ci_low > 0.0) == self.higher_is_better


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A number over seeds (and capabilities) with its whole-seed bootstrap band (None below 3 seeds)."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All candidates against the reference; the candidate with the highest mean utility first."""

    by: str  # what is compared: allocator, objective or budget
    reference: str
    rows: tuple[Row, ...]
    iqm: dict[str, dict[str, Aggregate]]  # allocator → "utility" | "profile"
    probability_of_improvement: dict[str, dict[str, Aggregate]]  # candidate → likewise
    mismatches: tuple[str, ...] = ()  # how the merged runs differ besides the allocator

    def document(self) -> dict[str, Any]:
        """As JSON values: the output of ``readbench compare --json``."""
        return {
            "schema": SCHEMA,
            "by": self.by,
            "reference": self.reference,
            "comparisons": [asdict(row) for row in self.rows],
            "aggregates": {
                "iqm": {name: {of: asdict(a) for of, a in each.items()} for name, each in self.iqm.items()},
                "probability_of_improvement": {
                    name: {of: asdict(a) for of, a in each.items()} for name, each in self.probability_of_improvement.items()
                },
            },
            "mismatches": list(self.mismatches),
        }


def compare(results: Results, *, reference: str, by: str = "allocator", mismatches: Sequence[str] = ()) -> Comparison:
    """Every other allocator of (merged) results against the reference; `mismatches` lists other differences of merged runs.

    If another axis is compared (`by`), the allocators' names are its labels: see `readbench.results.merging.merge`.

    ConfigError if the reference is missing or alone; IncompleteRunError if no candidate shares three seeds with it.
    """
    values, planned = metric_values(results), planned_seeds(results)
    if reference not in planned:
        raise ConfigError(f"the reference {reference!r} is not in the run", hint=near_match(reference, planned))
    if len(planned) == 1:
        raise ConfigError(f"{reference} is the only {by}: there is nothing to compare", hint=f"give another run, or one with more {by}s")
    metrics = metrics_of(results.suite.capabilities)
    nothing: Values = {metric.name: {} for metric in metrics}
    candidates = sorted((name for name in planned if name != reference), key=lambda name: (-_mean_utility(values.get(name, nothing)), name))
    rows: list[Row] = []
    for name in candidates:
        pair = (name, values.get(name, nothing)), (reference, values.get(reference, nothing))
        rows += _adjusted([_row(metric, *pair, planned=planned[name] | planned[reference]) for metric in metrics], *pair)
    most = max(row.n for row in rows)
    if most < MIN_PAIRS:
        raise IncompleteRunError(
            f"{most} seed{'s' if most != 1 else ''} in common with {reference} {'do' if most != 1 else 'does'} not show a spread",
            hint=f"a comparison needs {MIN_PAIRS}: run with more --seeds",
        )
    complete = [name for name in (*candidates, reference) if values.get(name, nothing)[PRIMARY]]
    return Comparison(
        by=by,
        reference=reference,
        rows=tuple(rows),
        iqm={name: {of: _aggregate(iqm, scores) for of, scores in _scores(values[name]).items()} for name in complete},
        probability_of_improvement={
            name: _improvement(values[name], values[reference]) for name in complete if name != reference and reference in complete
        },
        mismatches=tuple(mismatches),
    )


def _mean_utility(values: Values) -> float:
    return float(np.mean(list(values[PRIMARY].values()))) if values[PRIMARY] else -1.0


def _row(metric: Metric, candidate: tuple[str, Values], reference: tuple[str, Values], *, planned: set[int]) -> Row:
    ours, theirs = candidate[1][metric.name], reference[1][metric.name]
    by_seed = differences_by_seed(ours, theirs)
    differences = list(by_seed.values())
    difference = difference_of(differences)
    tested = difference is not None and difference.p_value is not None
    interval = None if difference is None else difference.interval
    good = [value if metric.higher_is_better else -value for value in differences]
    return Row(
        metric=metric.name,
        family=metric.family,
        higher_is_better=metric.higher_is_better,
        candidate=candidate[0],
        reference=reference[0],
        n=len(by_seed),
        seeds=tuple(by_seed),
        missing_seeds=tuple(sorted(planned - by_seed.keys())),
        mean_candidate=_mean([ours[seed] for seed in by_seed]),
        mean_reference=_mean([theirs[seed] for seed in by_seed]),
        mean_difference=None if difference is None else difference.mean,
        ci_low=None if interval is None else interval[0],
        ci_high=None if interval is None else interval[1],
        p_value=None if difference is None else difference.p_value,
        p_adjusted=difference.p_value if difference is not None and metric.family == "primary" else None,
        p_sign_flip=sign_flip(differences) if tested else None,
        p_max_t=None,
        effect_size=None if difference is None else difference.effect_size,
        wins=sum(value > 0 for value in good),
        losses=sum(value < 0 for value in good),
        ties=sum(value == 0 for value in good),
        mde=minimum_detectable(difference.sd, difference.n) if tested and difference is not None and difference.sd is not None else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _adjusted(rows: list[Row], candidate: tuple[str, Values], reference: tuple[str, Values]) -> list[Row]:
    """One candidate's rows, with the p-values of its capabilities adjusted together."""
    family = [row for row in rows if row.family == "capability"]
    tested = [row for row in family if row.p_value is not None]
    by_holm = dict(zip((row.metric for row in tested), holm([row.p_value or 0.0 for row in tested]), strict=True))
    seeds = sorted(set.intersection(*(set(row.seeds) for row in family)))
    by_max: dict[str, float | None] = {}
    if len(seeds) >= MIN_PAIRS:
        differences = np.array([[candidate[1][row.metric][seed] - reference[1][row.metric][seed] for row in family] for seed in seeds])
        by_max = dict(zip((row.metric for row in family), max_t(differences), strict=True))
    return [
        replace(row, p_adjusted=by_holm.get(row.metric), p_max_t=by_max.get(row.metric)) if row.family == "capability" else row
        for row in rows
    ]


def _scores(values: Values) -> dict[str, npt.NDArray[np.float64]]:
    """An allocator's utility (n, 1) and profile (n, K), by seed."""
    seeds = sorted(values[PRIMARY])
    profile = [metric for metric in values if metric.startswith(PROFILE)]
    return {
        "utility": np.array([[values[PRIMARY][seed]] for seed in seeds]),
        "profile": np.array([[values[metric][seed] for metric in profile] for seed in seeds]),
    }


def _improvement(candidate: Values, reference: Values) -> dict[str, Aggregate]:
    """The probability of improvement over the seeds that both completed, resampled together."""
    shared = candidate[PRIMARY].keys() & reference[PRIMARY].keys()
    ours, theirs = (
        _scores({metric: {s: v for s, v in by_seed.items() if s in shared} for metric, by_seed in values.items()})
        for values in (candidate, reference)
    )
    return {of: _aggregate(probability_of_improvement, ours[of], theirs[of]) for of in ours} if shared else {}


def _aggregate(statistic: Callable[..., Any], *scores: npt.NDArray[np.float64]) -> Aggregate:
    value = float(statistic(*scores))
    if len(scores[0]) < MIN_PAIRS:
        return Aggregate(value=value, low=None, high=None)
    low, high = whole_seed_band(statistic, *scores)
    return Aggregate(value=value, low=float(low), high=float(high))
