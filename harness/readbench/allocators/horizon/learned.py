"""What pilots say about a task before its first interval: which chains of steps its items have, and how fast each capability learns.

Both read the *soft* scores or exact match that the pilots changed (docs/method.md §6); neither looks at the test.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.api import Chain, Pilot, Vector

Matrix = npt.NDArray[np.float64]

MOST_STEPS = 4  # of a chain that is looked for
MOST_CAPABILITIES = 8  # that chains are looked for in: with more there are too many chains
LEAST_SHARE = 0.02  # of a chain that was found
SUM_WEIGHT = 10.0  # how firmly the shares sum to 1
PRIOR_GAIN, PRIOR_SD, NOISE = 3.0, 3.0, 0.25  # logits
RAISED = 1.25  # pilots see the first part of a learning curve: transitions come late
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Chains:
    """C kinds of items in K capabilities."""

    shares: Vector  # (C,) sums to 1
    exponents: Matrix  # (C, K) how many steps ask each capability

    @classmethod
    def stated(cls, composition: Sequence[Chain], num_capabilities: int) -> "Chains":
        """Those that the problem tells."""
        exponents = np.array([np.bincount(chain.steps, minlength=num_capabilities) for chain in composition], dtype=np.float64)
        return cls(np.array([chain.share for chain in composition]), exponents)

    @classmethod
    def product(cls, requirement: Vector) -> "Chains":
        """One chain of all that is required, r_c·n steps each for n required capabilities: all that r alone says of a joint task."""
        return cls(np.ones(1), requirement[np.newaxis] * np.count_nonzero(requirement))


def chains_from(pilots: Sequence[Pilot], requirement: Vector) -> Chains:
    """The chains whose products of soft scores make up the soft utility of each pilot, by non-negative least squares.

    All chains of one to four steps take part. Rows are relative, (Π soft)/U = 1, of the untrained student and of every pilot.
    """
    from scipy.optimize import nnls  # late: only what has pilots and no composition pays for it

    members = np.sort(np.argsort(-requirement, kind="stable")[:MOST_CAPABILITIES])
    counts = [
        np.bincount(steps, minlength=len(requirement))
        for length in range(1, MOST_STEPS + 1)
        for steps in itertools.combinations_with_replacement([int(c) for c in members], length)
    ]
    exponents = np.array(counts, dtype=np.float64)
    first = pilots[0]
    soft = np.vstack([first.soft_before, *(pilot.soft_after for pilot in pilots)])
    utility = np.array([first.soft_utility_before, *(pilot.soft_utility_after for pilot in pilots)])
    right = np.exp(np.log(np.maximum(soft, _LEAST)) @ exponents.T) / np.maximum(utility, _LEAST)[:, np.newaxis]
    rows = np.vstack([right, np.full(len(exponents), SUM_WEIGHT)])
    shares: Vector = nnls(rows, np.append(np.ones(len(right)), SUM_WEIGHT))[0]
    kept = shares >= LEAST_SHARE
    if not kept.any():
        return Chains.product(requirement)
    return Chains(shares[kept] / shares[kept].sum(), exponents[kept])


def gains_from(pilots: Sequence[Pilot], budget_tokens: int, *, decay: float, start: float, floor: float, forgetting: float) -> Vector:
    """(K,) logits that the whole budget on one capability adds, by ridge regression of what the pilots added; at least PRIOR_GAIN.

    What recency adds by itself is taken off first.
    """
    first = pilots[0]
    shares = np.array([pilot.allocation for pilot in pilots])  # (n, K)
    spans = np.array([pilot.tokens / budget_tokens for pilot in pilots])[:, np.newaxis]
    fresh = -np.expm1(-spans / decay)
    recency = start + fresh * (shares - start)
    after = np.array([pilot.exact_after for pilot in pilots])
    gained = _logit(after) - _logit(first.exact_before) - forgetting * np.log((recency + floor) / (start + floor))
    fed = shares * spans
    precision = (fed**2).sum(0) / NOISE**2 + PRIOR_SD**-2
    gains = ((fed * gained).sum(0) / NOISE**2 + PRIOR_GAIN * PRIOR_SD**-2) / precision
    raised: Vector = np.where(gains <= PRIOR_GAIN, PRIOR_GAIN, np.maximum(PRIOR_GAIN, RAISED * gains))
    return raised


def _logit(share: Vector) -> Vector:
    logit: Vector = np.log((share + 0.01) / (1.01 - share))
    return logit
