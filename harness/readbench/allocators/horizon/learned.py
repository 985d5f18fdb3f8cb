"""What pilots say about a task before its first interval: which chains of steps its items have, and how fast each capability learns.

Both read what the pilots changed (docs/method.md §6): the soft scores, and exact match. Neither looks at the test.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.allocators.horizon.curves import FORGETTING, NOISE, PRIOR_GAIN, START, logit, recency_after, remembered
from readbench.api import Chain, Pilot, Vector

Matrix = npt.NDArray[np.float64]

MOST_STEPS = 4  # of a chain that is looked for
MOST_CAPABILITIES = 8  # that chains are looked for in: with more there are too many chains
LEAST_SHARE = 0.02  # of a chain that was found
PAIR_SHARES = (0.3, 0.5, 0.7)  # of the first of two chains
ATTENUATIONS = (0.65, 0.8, 1.0)  # of the changes of scores: measured ones explain the utility's best when they are taken as smaller
CHANGE_SD, LEVEL_SD = 0.07, 0.1  # of the logarithms of the utility's changes, and of its level at the start
PAIR_COST, STEP_COST = 10.0, 1.0  # of a second chain, and of each step: in units of −2 log probability
_KEPT = 40  # models a round: those after them weigh next to nothing

PRIOR_SD = 3.0  # logits, of a gain before its pilots
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
    """The chains that explain the soft utility, averaged over all tasks of one or two chains by how probable the pilots make them.

    A task of chains i with shares b_i has the soft utility U = Σ b_i Π s^n_i. Its level at the start says how long the chains are; what
    each pilot changed, log(U/U₀), says of what. Few chains and few steps are more probable beforehand. The average is a task of
    many chains, and its utility is the expected one.
    """
    members = np.sort(np.argsort(-requirement, kind="stable")[:MOST_CAPABILITIES])
    counts = [
        np.bincount(steps, minlength=len(requirement))
        for length in range(1, MOST_STEPS + 1)
        for steps in itertools.combinations_with_replacement([int(c) for c in members], length)
    ]
    exponents = np.array(counts, dtype=np.float64)
    models = list(_models(pilots, exponents))
    least = min(cost for cost, _ in models)
    shares = np.zeros(len(exponents))
    for cost, parts in models:
        for chain, share in parts:
            shares[chain] += share * np.exp((least - cost) / 2)
    shares /= shares.sum()
    kept = shares >= min(LEAST_SHARE, shares.max())
    return Chains(shares[kept] / shares[kept].sum(), exponents[kept])


def _models(pilots: Sequence[Pilot], exponents: Matrix) -> Iterator[tuple[float, tuple[tuple[int, float], ...]]]:
    """(−2 log probability, ((chain, its share), ...)) of the tasks of one or two chains that are not too improbable."""
    first = pilots[0]
    start = np.maximum(first.soft_before, _LEAST)
    changes = np.array([np.log(np.maximum(pilot.soft_after, _LEAST) / start) for pilot in pilots]) @ exponents.T  # (n, C)
    gains = np.log([max(pilot.soft_utility_after, _LEAST) / max(first.soft_utility_before, _LEAST) for pilot in pilots])
    levels = np.exp(exponents @ np.log(start)) / max(first.soft_utility_before, _LEAST)  # (C,) 1 if it is the only chain
    steps = STEP_COST * exponents.sum(1)
    one, other = np.triu_indices(len(exponents), 1)
    for attenuation in ATTENUATIONS:
        ratios = np.exp(attenuation * changes)
        costs = _cost(attenuation * changes, gains, levels) + steps
        for chain in np.argsort(costs, kind="stable")[:_KEPT]:
            yield float(costs[chain]), ((int(chain), 1.0),)
        for share in PAIR_SHARES:
            both = share * levels[one] + (1.0 - share) * levels[other]
            near = np.flatnonzero(np.abs(np.log(both)) < 3 * LEVEL_SD)
            i, j, level = one[near], other[near], both[near]
            part = share * levels[i] / level  # of the utility at the start
            costs = _cost(np.log(part * ratios[:, i] + (1.0 - part) * ratios[:, j]), gains, level) + steps[i] + steps[j] + PAIR_COST
            for place in np.argsort(costs, kind="stable")[:_KEPT]:
                yield float(costs[place]), ((int(i[place]), share), (int(j[place]), 1.0 - share))


def _cost(predicted: Matrix, gains: Vector, levels: Vector) -> Vector:
    """(C,) how badly the changes (n, C) and the levels (C,) fit."""
    misfit: Vector = ((predicted - gains[:, np.newaxis]) ** 2).sum(0) / CHANGE_SD**2 + (np.log(levels) / LEVEL_SD) ** 2
    return misfit


def gains_from(pilots: Sequence[Pilot], budget_tokens: int) -> Vector:
    """(K,) logits that the whole budget on one capability adds, by ridge regression of what the pilots added; at least PRIOR_GAIN.

    What recency adds by itself is taken off first.
    """
    first = pilots[0]
    shares = np.array([pilot.allocation for pilot in pilots])  # (n, K)
    spans = np.array([pilot.tokens / budget_tokens for pilot in pilots])[:, np.newaxis]
    start = np.full(shares.shape, START)
    before, after = ((exact + 0.01) / 1.02 for exact in (first.exact_before, np.array([pilot.exact_after for pilot in pilots])))
    gained = logit(after) - logit(before) - remembered(recency_after(start, shares, spans), start, FORGETTING)
    fed = shares * spans
    precision = (fed**2).sum(0) / NOISE**2 + PRIOR_SD**-2
    gains = ((fed * gained).sum(0) / NOISE**2 + PRIOR_GAIN * PRIOR_SD**-2) / precision
    raised: Vector = np.where(gains <= PRIOR_GAIN, PRIOR_GAIN, np.maximum(PRIOR_GAIN, RAISED * gains))
    return raised
