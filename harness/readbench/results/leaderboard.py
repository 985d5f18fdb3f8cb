"""Who ranks where: mean ranks over seeds with their intervals, as in a critical-difference diagram (Demšar, JMLR 7, 2006).

In each block (a seed of a suite) the allocators are ranked by utility, the best 1, equal ones alike. The mean over the blocks says who is
ahead on the whole, whatever the scale of each suite. Its 95 % interval resamples seeds within their suite, so it holds for these suites
and no others. Friedman's test says whether any ranking is there at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.results.stats.paired import CONFIDENCE, MIN_PAIRS

RESAMPLES = 2000
Utilities = Mapping[str, Mapping[int, float]]  # allocator → seed → utility


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An allocator's mean rank."""

    name: str
    rank: float  # 1 is the best
    interval: tuple[float, float] | None  # 95 %; None below three seeds a suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The allocators that every suite has, the best first."""

    places: tuple[Place, ...]
    num_blocks: int
    p_value: float | None  # Friedman's; None where it cannot be computed


def leaderboard(suites: Sequence[Utilities]) -> Leaderboard:
    """Ranks over the seeds that all allocators of a suite have; ValueError if there are none, or no allocator is in every suite."""
    names = [name for name in suites[0] if all(name in suite for suite in suites)] if suites else []
    if not names:
        raise ValueError("no allocator is in every suite")
    ranks = [_ranks(suite, names) for suite in suites]
    if any(len(each) == 0 for each in ranks):
        raise ValueError("the allocators share no seed")
    means = _mean(ranks)
    intervals: list[tuple[float, float]] | None = None
    if min(len(each) for each in ranks) >= MIN_PAIRS:
        rng = np.random.default_rng(0)
        drawn = np.array([_mean([each[rng.integers(len(each), size=len(each))] for each in ranks]) for _ in range(RESAMPLES)])
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
        intervals = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    places = [Place(name=name, rank=float(means[n]), interval=None if intervals is None else intervals[n]) for n, name in enumerate(names)]
    blocks = np.concatenate(ranks)
    return Leaderboard(places=tuple(sorted(places, key=lambda place: place.rank)), num_blocks=len(blocks), p_value=_friedman(blocks))


def _ranks(utilities: Utilities, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """(blocks, allocators)."""
    from scipy.stats import rankdata  # late: only who ranks pays for it

    seeds = sorted(set.intersection(*(set(utilities[name]) for name in names)))
    values = np.array([[-utilities[name][seed] for name in names] for seed in seeds]).reshape(len(seeds), len(names))
    return np.asarray(rankdata(values, axis=1)) if seeds else values


def _mean(ranks: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """(allocators,) every suite counts alike, however many seeds it has."""
    return np.asarray(np.mean([each.mean(axis=0) for each in ranks], axis=0))


def _friedman(blocks: npt.NDArray[np.float64]) -> float | None:
    from scipy.stats import friedmanchisquare

    if blocks.shape[1] < 3 or len(blocks) < 2 or np.ptp(blocks) == 0:
        return None
    p_value = float(friedmanchisquare(*blocks.T).pvalue)
    return p_value if np.isfinite(p_value) else None
