"""Which capability's training moved which score: an estimate from the allocations that the runs happened to make.

The change of the profile in an interval is modelled as linear in the tokens that each capability was charged there:

    Δs_t = x_t · B + noise        Δs_t (K,) after − before;  x_t (K,) charged tokens / 10,000;  B (K, K)

B[i, j] is the change of score j per 10,000 tokens spent on capability i. It is the least-squares solution over all intervals of
all complete trials, without an intercept: no tokens, no change. Its 95 % interval is the jackknife over whole seeds (leave all
trials of one seed out, CV3 of MacKinnon, Nielsen and Webb, J. Econometrics 232, 2023) with Student's t of G − 1 degrees of
freedom for G seeds: the intervals of a trial and the trials of a seed share prompts and are not independent observations.

Caveats. It is observational: allocators choose, often from what they have seen, so x is not random. It is an average over the
course of training, while returns diminish: a capability trained late looks weaker than one trained early. Capabilities always
trained together cannot be told apart; a capability never trained, or trained in one seed only, has no estimate. And one in
twenty of the K² cells excludes 0 by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.results.document.model import CompleteTrial, Results
from readbench.results.stats import CONFIDENCE, MIN_PAIRS

Matrix = npt.NDArray[np.float64]

PER_TOKENS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """All (K, K): row = the capability that was trained, column = the score that moved. NaN marks a missing estimate."""

    capabilities: tuple[str, ...]
    effect: Matrix  # change of the score per 10,000 charged tokens
    low: Matrix  # 95 %; NaN below three seeds
    high: Matrix
    num_seeds: int
    num_intervals: int

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(K, K) whether the interval excludes 0."""
        return (self.low > 0) | (self.high < 0)


def transfer(results: Results, *, capabilities: Sequence[str]) -> Transfer:
    """The estimate from results with at least one complete trial, rows and columns in the order given."""
    complete = results.complete
    parts = [_changes(trial, capabilities) for trial in complete]
    tokens, change = (np.concatenate(part) for part in zip(*parts, strict=True))
    seeds = np.concatenate([np.full(len(part[0]), trial.seed) for trial, part in zip(complete, parts, strict=True)])
    effect, low, high = estimate_transfer(tokens, change, seeds)
    return Transfer(
        capabilities=tuple(capabilities),
        effect=effect,
        low=low,
        high=high,
        num_seeds=len(np.unique(seeds)),
        num_intervals=len(tokens),
    )


def estimate_transfer(tokens: Matrix, change: Matrix, clusters: npt.NDArray[np.int64]) -> tuple[Matrix, Matrix, Matrix]:
    """(effect, low, high), each (K, K), of `tokens` (N, K), `change` (N, K) and the cluster (N,) of each interval."""
    effect = _solve(tokens, change)
    groups = np.unique(clusters)
    if len(groups) < MIN_PAIRS:
        nothing = np.full_like(effect, np.nan)
        return effect, nothing, nothing
    from scipy.special import stdtrit

    without = np.stack([_solve(tokens[clusters != group], change[clusters != group]) for group in groups])  # (G, K, K)
    error = np.sqrt((len(groups) - 1) / len(groups) * np.sum((without - effect) ** 2, axis=0))
    half = float(stdtrit(len(groups) - 1, (1 + CONFIDENCE) / 2)) * error
    effect = np.where(np.isnan(error), np.nan, effect)
    return effect, effect - half, effect + half


def _solve(tokens: Matrix, change: Matrix) -> Matrix:
    """Least squares per 10,000 tokens; NaN rows for a capability without tokens, or whose tokens are a mixture of the others'."""
    scaled = tokens / PER_TOKENS
    solution, *_ = np.linalg.lstsq(scaled, change, rcond=None)
    return np.where(_identified(scaled)[:, None], solution, np.nan)


def _identified(design: Matrix) -> npt.NDArray[np.bool_]:
    """(K,) whether a coefficient is determined: its unit vector lies in the design's row space."""
    row_space = np.linalg.pinv(design) @ design  # (K, K) projection
    return np.asarray(np.isclose(np.diag(row_space), 1.0, atol=1e-6))


def _changes(trial: CompleteTrial, capabilities: Sequence[str]) -> tuple[Matrix, Matrix]:
    """(T, K) charged tokens and (T, K) change of the profile, by interval."""
    charged = np.array([each.tokens.charged for each in trial.intervals], dtype=np.float64)
    shares = np.array([[each.allocation[c] for c in capabilities] for each in trial.intervals], dtype=np.float64)
    profiles = np.array([[p[c] for c in capabilities] for p in (trial.profile.before, *(each.profile for each in trial.intervals))])
    return charged[:, None] * shares, np.diff(profiles, axis=0)
