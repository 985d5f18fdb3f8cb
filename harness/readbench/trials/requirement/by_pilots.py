"""The requirement that pilots infer: which capabilities the task needs, from what short trainings changed.

ReAD (arXiv 2605.11290) fits the requirement g to interventions, so that g·Δs predicts ΔU, both differences to the untrained student.
Here s and U are the *soft* ones, made of geometric-mean token probabilities: they move, with little noise, long before answers turn right.

- Of a mixture the model is ReAD's: ΔU = Σ_c r_c Δs_c.
- Of a joint task U is a product over an item's steps, U = Π_c s_c^(n_c), so that Δ log U = Σ_c n_c Δ log s_c: linear in the logarithms, and
  the coefficients n_c are the numbers of steps, whose shares are the requirement.

The coefficients are non-negative least squares over the pilots, without an intercept: nothing trained, nothing changed. A hundredth of
the mean of XᵀX's diagonal is added to it, against coefficients that trade places. The weights are the coefficients over their sum.
Their standard errors and 95 % intervals come from a bootstrap over whole pilots.

Soft scores also rise where only the form of an answer is learned. A capability that no pilot brought above 2 % exact match is
*vetoed*: the task may need it, but tokens spent on it do not buy right answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.api import Pilot, Vector
from readbench.base.errors import ConfigError

Matrix = npt.NDArray[np.float64]

NEVER_RIGHT = 0.02  # exact match, at most, of a capability that is vetoed
RESAMPLES = 400
_RIDGE = 0.01
_LEAST = 1e-6  # below it a logarithm would be that of a rounding error


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """The requirement by the pilots; each vector is (K,) in suite order."""

    weights: Vector  # on the simplex
    standard_error: Vector
    low: Vector  # of the 95 % interval
    high: Vector
    vetoed: npt.NDArray[np.bool_]


def infer(pilots: Sequence[Pilot], *, joint: bool) -> Inferred:
    """The requirement of a joint task or of a mixture; ConfigError if the pilots say nothing about it."""
    changes, gains = observed(pilots, joint=joint)
    vetoed = never_right(pilots)
    weights = _weights(changes, gains, vetoed)
    if weights is None:
        raise ConfigError(
            "the pilots say nothing about the requirement: whatever they trained, the utility did not rise",
            hint="make longer ones (--set pilots.tokens=...), or use the card's: --requirement card",
        )
    rng = np.random.default_rng(0)
    resampled = (rng.integers(len(pilots), size=len(pilots)) for _ in range(RESAMPLES))
    drawn = [fit for rows in resampled if (fit := _weights(changes[rows], gains[rows], vetoed)) is not None]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return Inferred(weights=weights, standard_error=np.std(drawn, axis=0, ddof=1), low=low, high=high, vetoed=vetoed)


def observed(pilots: Sequence[Pilot], *, joint: bool) -> tuple[Matrix, Vector]:
    """(n, K) the changes of the soft scores, (n,) those of the soft utility; of a joint task those of their logarithms."""
    before, after = (np.array([getattr(p, f"soft_{name}") for p in pilots]) for name in ("before", "after"))
    start, end = (np.array([getattr(p, f"soft_utility_{name}") for p in pilots]) for name in ("before", "after"))
    if not joint:
        return after - before, end - start
    before, after, start, end = (np.maximum(values, _LEAST) for values in (before, after, start, end))
    return np.log(after / before), np.log(end / start)


def never_right(pilots: Sequence[Pilot]) -> npt.NDArray[np.bool_]:
    """(K,) whether no pilot brought the capability above 2 % exact match."""
    best = np.max([np.maximum(p.exact_before, p.exact_after) for p in pilots], axis=0)
    return np.asarray(best <= NEVER_RIGHT)


def _weights(changes: Matrix, gains: Vector, vetoed: npt.NDArray[np.bool_]) -> Vector | None:
    """Non-negative least squares with a little ridge, over its sum; None if every coefficient is 0."""
    from scipy.optimize import nnls  # late: only a run with pilots pays for it

    count = changes.shape[1]
    ridge = np.sqrt(_RIDGE * np.mean(np.sum(changes**2, axis=0)))
    coefficients: Vector = nnls(np.vstack([changes, ridge * np.eye(count)]), np.append(gains, np.zeros(count)))[0]
    coefficients[vetoed] = 0.0
    total = coefficients.sum()
    return coefficients / total if total > 0 else None
