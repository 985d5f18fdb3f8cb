"""The scripted environment of the conformance kit (`readbench.testing`): profiles and rewards written in advance.

A world shows the same profiles and rewards whatever an allocator proposes. That teaches nothing, but a contract only asks
how an allocator responds to what it sees, and a script can hold values that no student ever produces: scores that jump
between 0 and 1, rewards of a million, a requirement of one capability in 64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.api import Feedback, Observation, Pilot, Problem, Vector
from readbench.trials.environments.base import RECENT, EnvironmentState, Outcome, Step
from readbench.trials.environments.stopwatch import Stopwatch

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a trial shows to an allocator, interval by interval."""

    label: str  # shown in error messages
    problem: Problem
    profiles: Matrix  # (T + 1, K)
    rewards: Vector  # (T,)

    def feedback(self, interval: int, proposal: Vector) -> Feedback:
        """The feedback to a proposal: shares near it, as whole examples give, and one interval that bought nothing."""
        bought_nothing = interval == self.problem.num_intervals // 2
        realised = np.zeros_like(proposal) if bought_nothing else proposal + proposal**2
        allocation = realised if bought_nothing else realised / realised.sum()
        before, after = self.profiles[interval], self.profiles[interval + 1]
        loss_before, loss_after = loss_of(before), loss_of(after)
        return Feedback(
            interval=interval,
            allocation=allocation,
            tokens=0 if bought_nothing else self.problem.budget_tokens // self.problem.num_intervals,
            profile_before=before.copy(),
            profile_after=after.copy(),
            train_loss=np.where(allocation > 0.0, loss_before, np.nan),
            reward=float(self.rewards[interval]),
            standard_error=np.full_like(before, 0.02),
            exact_before=exact_of(before),
            exact_after=exact_of(after),
            probe_loss_before=loss_before,
            probe_loss_after=loss_after,
            examples=np.round(50 * allocation),
        )

    def permuted(self, order: npt.NDArray[np.intp]) -> "World":
        """The same trial with its capabilities in another order."""
        problem, place = self.problem, np.argsort(order)
        chains = problem.composition and tuple(
            replace(chain, steps=tuple(int(place[c]) for c in chain.steps)) for chain in problem.composition
        )
        permuted = _permuted(problem, order)
        pilots = tuple(replace(pilot, **_permuted(pilot, order)) for pilot in problem.pilots)
        trials = tuple(tuple(replace(feedback, **_permuted(feedback, order)) for feedback in trial) for trial in problem.profiling)
        permuted |= {"learning_rate": problem.learning_rate, "pilots": pilots, "profiling": trials, "composition": chains}
        problem = replace(problem, capabilities=tuple(problem.capabilities[c] for c in order), **permuted)
        return World(label=f"{self.label}, permuted", problem=problem, profiles=self.profiles[:, order], rewards=self.rewards)


class Scripted:
    """A world as an environment; see `readbench.trials.environments.base.Environment`."""

    def __init__(self, world: World) -> None:
        self.problem = world.problem
        self.watch = Stopwatch()
        self.interval = 0
        self._world = world
        self._recent: tuple[Feedback, ...] = ()

    def begin(self) -> Mapping[str, Any]:
        """Nothing is measured."""
        return {}

    def restore(self, start: Mapping[str, Any], records: Sequence[Mapping[str, Any]], state: EnvironmentState | None) -> None:  # noqa: ARG002
        """The script continues after the last of the records."""
        self.interval = len(records)
        self._recent = tuple(self._world.feedback(record["interval"], np.array(record["requested"])) for record in records[-RECENT:])

    def observe(self) -> Observation:
        """The script's observation before the next interval."""
        return Observation(
            interval=self.interval,
            profile=self._world.profiles[self.interval].copy(),
            budget_left=1.0 - self.interval / self.problem.num_intervals,
            recent=self._recent,
            exact=exact_of(self._world.profiles[self.interval]),
            dev_utility=float(self._world.profiles[self.interval].mean()) if self.interval % 4 == 0 else None,
        )

    def step(self, allocation: Vector) -> Step:
        """The outcome that the script gives."""
        feedback = self._world.feedback(self.interval, allocation)
        self._recent = (*self._recent, feedback)[-RECENT:]
        self.interval += 1
        return Step(
            feedback=feedback,
            charged_tokens=self.interval * self.problem.budget_tokens // self.problem.num_intervals,
            record=_record(feedback, allocation),
        )

    def state(self) -> Callable[[], EnvironmentState]:
        """An empty state: the records are enough."""
        return lambda: EnvironmentState(probe_scores=[])

    def finish(self) -> Outcome:
        """An empty outcome: nothing was trained."""
        return Outcome(record={}, save_student=lambda _: None)


def _record(feedback: Feedback, allocation: Vector) -> dict[str, Any]:
    """The interval in a trial's record; nothing is taught or measured: all tokens count as trained, the profile as the scores."""
    return {
        "interval": feedback.interval,
        "requested": allocation.tolist(),
        "allocation": feedback.allocation.tolist(),
        "charged": feedback.tokens,
        "tokens": {"generated": 0, "trained": feedback.tokens, "scored": 0, "rollout": 0, "probe": 0, "dev": 0},
        "examples": [0] * allocation.size,
        "verified": [0] * allocation.size,
        "unverified": [[]] * allocation.size,
        "profile": feedback.profile_after.tolist(),
        "exact_match": feedback.exact_after.tolist(),
        "dev_utility": 0.0,
        "train_loss": [None if np.isnan(loss) else float(loss) for loss in feedback.train_loss],
        "reward": feedback.reward,
        "epsilon": 0.0,
    }


def loss_of(profile: Vector) -> Vector:
    """(K,) as if every right answer were one token."""
    return -np.log(np.maximum(profile, 1e-3))


def exact_of(profile: Vector) -> Vector:
    """(K,) as of 40 probes."""
    return np.round(40 * profile) / 40


def _permuted(held: Problem | Pilot | Feedback, order: npt.NDArray[np.intp]) -> dict[str, Any]:
    """The arrays of a problem, a pilot or feedback with the capabilities in another order."""
    arrays = {field.name: getattr(held, field.name) for field in fields(held)}
    return {name: value[order] for name, value in arrays.items() if isinstance(value, np.ndarray) and value.shape == order.shape}
