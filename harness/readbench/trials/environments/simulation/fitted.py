"""A student fitted to recorded trials: how tokens move its scores, so that a trial of it is played in milliseconds.

With x_c the logit of score s_c, w the interval's shares, m its part of all learning time (∝ the root of the learning rate, summing to 1),
η its learning rate as a share of the peak, and w̄_τ the recency of a capability's tokens, which follows w at the rate 1 − e^{−m/τ}:

    Δx_c = m·(a + b·x_c + c·x_c²)·w_c + m·(d + e·x_c)·√w_c + m·(f + g·x_c)
         + Σ_τ (h_τ + k_τ·x_c)·Δ log(w̄_cτ + ε) + l·(η_before − η) + m·Σ_{i≠c} A_ic·w_i

That is learning that slows or quickens with the score; what little of a capability keeps alive (√w rises steeply from 0); drift;
forgetting of what is no longer taught, and its quick return; what a falling learning rate gives back; and transfer. The letters are a
capability's own coefficients. Exact match, losses and the utility follow from the scores by curves: a task's utility is linear
in Σ_i share_i·Π_steps p, with p a capability's rate of right answers (a mixture's items have one step each).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.api import Chain, Vector

Matrix = npt.NDArray[np.float64]

SPANS = (0.08, 0.3)  # τ, in learning time
EPSILON = 0.02  # ε, of recency
START = 0.15  # recency of everything before the first interval
BOUND = 5.0  # of a logit
_MARGIN = 0.01  # of scores 0 and 1 in a logit


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A recorded trial, as arrays."""

    mix: str  # trials of one name have one rule and its parameters: they are left out together
    learning_rate: Vector  # (T,) as a share of its peak
    shares: Matrix  # (T, K)
    scores: Matrix  # (T + 1, K)
    exact: Matrix  # (T + 1, K)
    losses: Matrix  # (T + 1, K) nats a token
    standard_error: Matrix  # (T, K) of an interval's change
    example_tokens: Vector  # (K,) charged for an example, on average; NaN where none was taught
    utility: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a fitted student is."""

    logits: Vector  # (K,)
    recency: Matrix  # (τ, K)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedStudent:
    """F terms of its own for each of K capabilities, and the transfer between them; see `fitting` beside this module."""

    start: Vector  # (K,) logits
    own: Matrix  # (K, F)
    transfer: Matrix  # (K, K) row: what is taught; column: what moves
    walk: Vector  # (K,) sd over a whole trial of the noise that stays, a unit of the learning rate; of a logit times √(s(1 − s))
    fluctuation: Vector  # (K,) sd of the noise that passes, likewise
    right: Matrix  # (K, 2) logit of exact match = first + second·x
    right_sd: Vector  # (K,) of exact match
    loss: Matrix  # (K, 2) log loss = first + second·log(−log s)
    standard_error: Vector  # (K,) of an interval's change, on average
    example_tokens: Vector  # (K,) an example's cost
    chains: tuple[Chain, ...]
    value: Vector  # (2,) utility = first + second·(the rate of right items)
    value_sd: float

    def begin(self) -> Standing:
        """Before the first interval."""
        return Standing(logits=self.start, recency=np.full((len(SPANS), self.start.size), START))

    def moved(self, standing: Standing, shares: Vector, time: float, fall: float) -> Standing:
        """After an interval, without noise; `fall` is by how much the learning rate fell since the last one."""
        recency = standing.recency + pace(time)[:, None] * (shares - standing.recency)
        moving = terms(standing.logits, shares, time, fall, np.log((recency + EPSILON) / (standing.recency + EPSILON)))
        logits = standing.logits + (moving * self.own).sum(axis=1) + time * (shares @ self.transfer)
        return Standing(logits=np.clip(logits, -BOUND, BOUND), recency=recency)

    def exact(self, logits: Vector) -> Vector:
        """(…, K) the rate of right answers."""
        return sigmoid(self.right[:, 0] + self.right[:, 1] * logits)

    def probe_loss(self, logits: Vector) -> Vector:
        """(K,) nats a token."""
        result: Vector = np.exp(self.loss[:, 0] + self.loss[:, 1] * depth(scores_of(logits)))
        return result

    def utility(self, logits: Vector) -> float:
        """The expected utility, in [0, 1]."""
        return float(np.clip(self.value @ [1.0, items_right(self.exact(logits), self.chains)], 0.0, 1.0))

    def follow(self, course: Course) -> tuple[Matrix, float]:
        """((T, K) scores, utility) that it predicts from a trial's allocations alone."""
        standing, scores = self.begin(), []
        for time, fall, shares in zip(learning_time(course.learning_rate), falls(course.learning_rate), course.shares, strict=True):
            standing = self.moved(standing, shares, time, fall)
            scores.append(scores_of(standing.logits))
        return np.array(scores), self.utility(standing.logits)


def items_right(exact: Vector, chains: Sequence[Chain]) -> float:
    """The share of items whose steps are all right, if the steps are independent."""
    return sum(chain.share * float(np.prod(exact[list(chain.steps)])) for chain in chains)


def learning_time(learning_rate: Vector) -> Vector:
    """(T,) each interval's part of all learning time: a step of a third of the rate moves half as far."""
    times = np.sqrt(np.maximum(learning_rate, 1e-6))
    parts: Vector = times / times.sum()
    return parts


def falls(learning_rate: Vector) -> Vector:
    """(T,) by how much the rate fell since the interval before; 0 for the first."""
    result: Vector = -np.diff(learning_rate, prepend=learning_rate[0])
    return result


def logits_of(scores: Vector) -> Vector:
    """Finite for scores of 0 and 1."""
    result: Vector = np.log((scores + _MARGIN) / (1.0 + _MARGIN - scores))
    return result


def scores_of(logits: Vector) -> Vector:
    """The inverse of `logits_of`, in [0, 1]."""
    result: Vector = np.clip((1.0 + 2.0 * _MARGIN) * sigmoid(logits) - _MARGIN, 0.0, 1.0)
    return result


def depth(scores: Vector) -> Vector:
    """log(−log s), the scale on which a loss is a line."""
    result: Vector = np.log(-np.log(np.clip(scores, 0.001, 0.999)))
    return result


def sigmoid(logits: Vector) -> Vector:
    """In (0, 1)."""
    result: Vector = 1.0 / (1.0 + np.exp(-logits))
    return result


def pace(time: float) -> Vector:
    """(τ,) how far recency goes towards the shares."""
    return 1.0 - np.exp(-time / np.array(SPANS))


def spread(scores: Vector) -> Vector:
    """√(s(1 − s)), but never 0: a logit's noise is that of a score divided by about this."""
    result: Vector = np.sqrt(scores * (1.0 - scores) + 0.02)
    return result


def terms(logits: Vector, shares: Vector, time: float, fall: float, recent: Matrix) -> Matrix:
    """(K, F) each capability's own terms; `recent` is (τ, K)."""
    taught, kept, constant = time * shares, time * np.sqrt(shares), np.full_like(logits, time)
    learning = [taught, taught * logits, taught * logits**2, kept, kept * logits, constant, time * logits]
    return np.stack([*learning, *recent, *(recent * logits), np.full_like(logits, fall)], axis=1)
