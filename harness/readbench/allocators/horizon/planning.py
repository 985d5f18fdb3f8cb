"""``horizon``: plans the rest of the budget on learning curves, plays one interval of the plan, looks again (docs/method.md §6).

A bandit judges a mix by the next interval, whose reward is mostly noise and forgets that the end counts. This rule asks at each
interval which split of *all tokens that are left* makes the task's items come out right at the end. It has a model of each
capability's learning curve (`_core.plan_horizon`): what is fed is learned, what is not fed any more is forgotten, and the last
tokens count most. The model is rough, so its plan is made anew from what is measured at every interval.

It needs the task's composition: the problem's own, or what pilots infer, or else the product of r's capabilities.
"""

import json
from collections.abc import Sequence

import numpy as np

from readbench._core import plan_horizon
from readbench.allocators.horizon.curves import (
    DECAY,
    FLOOR,
    FORGETTING,
    FORGETTING_FLOOR,
    NOISE,
    PRIOR_GAIN,
    START,
    level,
    logit,
    recency_after,
    remembered,
    sigmoid,
)
from readbench.allocators.horizon.learned import Chains, chains_from, gains_from
from readbench.api import Explanation, Feedback, Observation, Problem, Vector, allocator
from readbench.base.errors import ConfigError

# Chosen on real trials of the lab's student (docs/method.md §6).
ANNEALED = 0.3  # logits that a falling learning rate gives back
LATE = 0.38  # length of the last phase
KEPT = 0.3  # of the last allocation in the next one
REPLAY = 0.03  # to all that the items need, equally
GAIN_SD = 0.12  # of a gain, as a share of it
GAIN_RANGE = (0.5, 2.5)  # of a learned gain, as shares of the first one
STATE_VERSION = 1


class Horizon:
    """The allocator; `horizon` makes it."""

    def __init__(self, problem: Problem, *, gain: float, upkeep: float) -> None:
        if not 0.1 <= gain <= 100.0:
            raise ConfigError(f"gain must be between 0.1 and 100 logits, got {gain}")
        if not 0.0 <= upkeep <= 0.5:
            raise ConfigError(f"upkeep is a share of the tokens, between 0 and 0.5, got {upkeep}")
        self._rates = np.ones(problem.num_intervals) if problem.learning_rate is None else problem.learning_rate
        times = np.sqrt(np.maximum(self._rates, 1e-6))
        self._times = times / times.sum()  # (T,) of an interval's learning time; a step of a third of the rate moves half as far
        self._chains = _chains_of(problem)
        self._replayed = _replayed(self._chains.exponents, upkeep)
        num_capabilities = len(problem.requirement)
        self._prior = np.full(num_capabilities, gain)
        if problem.pilots:
            self._prior *= gains_from(problem.pilots, problem.budget_tokens) / PRIOR_GAIN
        self._requirement = problem.requirement
        self._compared: tuple[Vector, Vector, Vector, Vector, float] | None = None  # what the last proposal was chosen from
        # What follows changes from interval to interval: the state.
        self._forgetting = np.full(num_capabilities, np.nan)  # set by the first observation
        self._recency = np.full(num_capabilities, START)
        self._precision = (GAIN_SD * self._prior) ** -2
        self._weighted = self._precision * self._prior  # the gains times their precision
        self._last = np.full(num_capabilities, np.nan)  # allocation

    def propose(self, observation: Observation) -> Vector:
        """The first interval of the best plan."""
        score = level(observation.exact, observation.profile)
        if np.isnan(self._forgetting).any():
            self._forgetting = FORGETTING_FLOOR + FORGETTING * score
        annealed = ANNEALED * (self._rates[observation.interval] - 0.1) / 0.9
        logits, left = logit(score) + annealed, min(1.0, float(self._times[observation.interval :].sum()))
        curves = logits, self._recency, self.gains(), self._forgetting
        plans = plan_horizon(*curves, self._chains.shares, self._chains.exponents, left=left, late=LATE, decay=DECAY, floor=FLOOR)
        self._compared = *plans, *self._followed(self._requirement, curves, left)
        allocations, _, utilities = plans
        planned = allocations[int(np.argmax(utilities))]
        allocation: Vector = (1.0 - self._replayed.sum()) * planned + self._replayed
        return allocation if np.isnan(self._last).any() else KEPT * self._last + (1.0 - KEPT) * allocation

    def update(self, feedback: Feedback) -> None:
        """Moves recency and gains by what the interval fed and changed; an interval that bought nothing teaches nothing."""
        if feedback.tokens == 0:
            return
        time = self._times[feedback.interval]
        shares = feedback.allocation / feedback.allocation.sum()
        recency = recency_after(self._recency, shares, time)
        before = level(feedback.exact_before, feedback.profile_before)
        after = level(feedback.exact_after, feedback.profile_after)
        gained = logit(after) - logit(before) - remembered(recency, self._recency, self._forgetting)
        fed = shares * time
        variance = NOISE**2 * 0.25 / (before * (1.0 - before))
        self._precision = self._precision + fed**2 / variance
        self._weighted = self._weighted + fed * gained / variance
        self._recency, self._last = recency, shares

    def _followed(self, mix: Vector, curves: tuple[Vector, ...], left: float) -> tuple[Vector, float]:
        """((K,) the scores, the utility) at the end if all that is left went to one mix."""
        logits, recency, gains, forgetting = curves
        then = recency_after(recency, mix, left)
        scores = sigmoid(logits + gains * left * mix + remembered(then, recency, forgetting))
        return scores, float(self._chains.shares @ np.exp(self._chains.exponents @ np.log(scores)))

    def explain(self) -> Explanation | None:
        """The plan from each start, and w = r, with the utility and the scores that are projected at the trial's end."""
        if self._compared is None:
            return None
        allocations, scores, utilities, followed, utility = self._compared
        labels = ("plan", *(f"plan for chain {number}" for number in range(1, len(utilities))), "w = r")
        return Explanation(
            candidates=np.vstack([allocations, self._requirement]),
            predicted=np.append(utilities, utility),
            sd=np.zeros(len(labels)),
            chosen=int(np.argmax(utilities)),
            labels=labels,
            scores=np.vstack([scores, followed]),
        )

    def gains(self) -> Vector:
        """(K,) logits that the whole budget on one capability adds, as it knows by now."""
        low, high = GAIN_RANGE
        gains: Vector = np.clip(self._weighted / self._precision, low * self._prior, high * self._prior)
        return gains

    def state(self) -> bytes:
        """JSON."""
        vectors = {name: _listed(getattr(self, f"_{name}")) for name in _STATE}
        return json.dumps({"version": STATE_VERSION, **vectors}, allow_nan=False).encode()

    def restore(self, state: bytes) -> None:
        """Takes back what `state` returned; ValueError, and nothing changed, if the bytes are not such a state."""
        try:
            fields = json.loads(state)
            if fields.keys() != {"version", *_STATE} or fields["version"] != STATE_VERSION:
                raise ValueError("another version")
            vectors = {name: _array(fields[name], len(self._prior)) for name in _STATE}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a state of this allocator: {error}") from error
        for name, vector in vectors.items():
            setattr(self, f"_{name}", vector)


_STATE = ("forgetting", "recency", "precision", "weighted", "last")


def _listed(vector: Vector) -> list[float] | None:
    return None if np.isnan(vector).any() else vector.tolist()


def _array(values: Sequence[float] | None, size: int) -> Vector:
    vector = np.full(size, np.nan) if values is None else np.array(values, dtype=np.float64)
    if vector.shape != (size,):
        raise ValueError("it belongs to another number of capabilities")
    return vector


def _replayed(exponents: Vector, upkeep: float) -> Vector:
    """(K,) what every interval gives whatever the plan says: REPLAY to what the items (C, K) need, upkeep to the rest, equally."""
    needed = exponents.max(axis=0) > 0
    replayed: Vector = REPLAY * needed / needed.sum() + upkeep * ~needed / max(1, int((~needed).sum()))
    return replayed


def _chains_of(problem: Problem) -> Chains:
    """The items' chains: told, inferred from pilots, or the product of what is required."""
    if problem.composition is not None:
        return Chains.stated(problem.composition, len(problem.requirement))
    return chains_from(problem.pilots, problem.requirement) if problem.pilots else Chains.product(problem.requirement)


@allocator("horizon", pilots=True)
def horizon(problem: Problem, seed: int, *, gain: float = PRIOR_GAIN, upkeep: float = 0.02) -> Horizon:  # noqa: ARG001 — it draws nothing
    """Plans all tokens that are left on learning curves of every capability, plays one interval, and looks again.

    `gain`: logits that the whole budget on one capability adds, as far as pilots do not say more.
    `upkeep`: share of the tokens for what no item needs, lest it be forgotten.
    """
    return Horizon(problem, gain=gain, upkeep=upkeep)
