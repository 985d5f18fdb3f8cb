"""The scripted environment of the conformance kit (`readbench.testing`): profiles and rewards written in advance.

A world shows the same profiles and rewards whatever an allocator proposes. That teaches nothing, but a contract only asks
how an allocator responds to what it sees, and a script can hold values that no student ever produces: scores that jump
between 0 and 1, rewards of a million, a requirement of one capability in 64.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.api import Chain, Feedback, Observation, Pilot, Problem, Vector
from readbench.trials.environments.base import RECENT, EnvironmentState, Outcome, Step
from readbench.trials.environments.stopwatch import Stopwatch

_NAMES = ("general_knowledge", "steerability", "reasoning", "math", "code", "tool_use", "long_context", "multilingual")

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
        loss_before, loss_after = _loss(before), _loss(after)
        return Feedback(
            interval=interval,
            allocation=allocation,
            tokens=0 if bought_nothing else self.problem.budget_tokens // self.problem.num_intervals,
            profile_before=before.copy(),
            profile_after=after.copy(),
            train_loss=np.where(allocation > 0.0, loss_before, np.nan),
            reward=float(self.rewards[interval]),
            standard_error=np.full_like(before, 0.02),
            exact_before=_exact(before),
            exact_after=_exact(after),
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
        permuted |= {"learning_rate": problem.learning_rate, "pilots": pilots, "composition": chains}
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
            exact=_exact(self._world.profiles[self.interval]),
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
        "tokens": {"generated": 0, "trained": feedback.tokens, "probe": 0, "dev": 0},
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


def drifting_world(num_capabilities: int, num_intervals: int, *, requirement: str) -> World:
    """The everyday case: scores that drift upwards with setbacks, a teacher that was measured, pilots; "mixed" or "equal" weights."""
    return _world(
        (requirement, _requirements(num_capabilities)[requirement]),
        ("mixed", _teachers(num_capabilities)["mixed"]),
        ("drifting", _profiles(num_capabilities, num_intervals)["drifting"]),
        "of the gain",
        known=True,
        pilots=True,
    )


def extreme_worlds(num_intervals: int, *, pilots: bool) -> Iterator[World]:
    """Every K × requirement × profile; teachers, rewards and what else is known take turns, since their product would take too long.

    With `pilots` all worlds have some.
    """
    turn = itertools.count()
    for num_capabilities in (1, 2, 8, 64):
        teachers = _teachers(num_capabilities)
        requirements = _requirements(num_capabilities)
        if num_capabilities == 64:  # slow: keep only the cases that are special at this size
            del requirements["equal"], requirements["one-hot"]
        for requirement, profiles in itertools.product(requirements.items(), _profiles(num_capabilities, num_intervals).items()):
            i = next(turn)
            teacher = list(teachers.items())[i % len(teachers)]
            yield _world(
                requirement, teacher, profiles, _REWARDS[i // len(teachers) % len(_REWARDS)], known=i % 2 == 0, pilots=pilots or i % 3 == 0
            )


def _requirements(num_capabilities: int) -> dict[str, Vector]:
    # The weights are distinct, so there are no ties to break; beyond K = 2 a third of the capabilities is not required.
    weights = np.random.default_rng(num_capabilities).uniform(0.2, 1.0, num_capabilities)
    weights[: num_capabilities // 3] = 0.0
    return {
        "equal": np.full(num_capabilities, 1.0 / num_capabilities),
        "one-hot": np.eye(num_capabilities)[-1],
        "mixed": weights / weights.sum(),
    }


def _profiles(num_capabilities: int, num_intervals: int) -> dict[str, Matrix]:
    shape = (num_intervals + 1, num_capabilities)
    rng = np.random.default_rng(num_capabilities)
    start, steps = rng.uniform(0.1, 0.6, num_capabilities), rng.normal(0.02, 0.05, shape)
    return {
        "drifting": np.clip(start + steps.cumsum(axis=0), 0.0, 1.0),
        "all 0": np.zeros(shape),
        "all 1": np.ones(shape),
        "all equal": np.full(shape, 0.5),
        "jumping between 0 and 1": rng.integers(0, 2, shape).astype(np.float64),
    }


def _teachers(num_capabilities: int) -> dict[str, Vector | None]:
    return {
        "unknown": None,
        "perfect": np.ones(num_capabilities),
        "at 0": np.zeros(num_capabilities),
        "mixed": np.random.default_rng(num_capabilities).uniform(0.3, 1.0, num_capabilities),
    }


_REWARDS = ("of the gain", "always 0", "±1", "±1e6")


def _rewards(kind: str, requirement: Vector, profiles: Matrix) -> Vector:
    gains = np.diff(profiles, axis=0)
    signs = np.where(np.arange(len(gains)) % 2, -1.0, 1.0)
    rewards: dict[str, Vector] = {
        "of the gain": gains @ requirement - 0.5 * (np.maximum(-gains, 0.0) @ requirement),
        "always 0": np.zeros(len(gains)),
        "±1": signs,
        "±1e6": 1e6 * signs,
    }
    return rewards[kind]


def _loss(profile: Vector) -> Vector:
    """(K,) as if every right answer were one token."""
    return -np.log(np.maximum(profile, 1e-3))


def _exact(profile: Vector) -> Vector:
    """(K,) as of 40 probes."""
    return np.round(40 * profile) / 40


def _permuted(held: Problem | Pilot, order: npt.NDArray[np.intp]) -> dict[str, Any]:
    """The arrays of a problem or a pilot with the capabilities in another order."""
    arrays = {field.name: getattr(held, field.name) for field in fields(held)}
    return {name: value[order] for name, value in arrays.items() if isinstance(value, np.ndarray) and value.shape == order.shape}


def _pilots(before: Vector) -> tuple[Pilot, ...]:
    """Eight made-up pilots from a profile (K,): what is fed rises."""
    rng = np.random.default_rng(before.size)
    pilots = []
    for _ in range(8):
        allocation = rng.dirichlet(np.full(before.size, 0.3))
        after = before + 0.5 * allocation * (1 - before)
        utilities = float(before.mean()), float(after.mean())
        pilots.append(
            Pilot(
                allocation=allocation,
                tokens=1000,
                profile_before=before,
                profile_after=after,
                exact_before=_exact(before),
                exact_after=_exact(after),
                soft_before=np.sqrt(before),
                soft_after=np.sqrt(after),
                utility_before=utilities[0],
                utility_after=utilities[1],
                soft_utility_before=utilities[0] ** 0.5,
                soft_utility_after=utilities[1] ** 0.5,
            )
        )
    return tuple(pilots)


def _world(
    requirement: tuple[str, Vector],
    teacher: tuple[str, Vector | None],
    profiles: tuple[str, Matrix],
    rewards: str,
    *,
    known: bool,
    pilots: bool,
) -> World:
    """The world; `known` says whether it tells the composition: the first three required capabilities together, and each of them alone."""
    num_capabilities, num_intervals = requirement[1].size, len(profiles[1]) - 1
    steps = tuple(int(c) for c in np.flatnonzero(requirement[1])[:3])
    chains = (Chain(steps=steps, share=0.5), *(Chain(steps=(step,), share=0.5 / len(steps)) for step in steps))
    made = _pilots(profiles[1][0]) if pilots else ()
    problem = Problem(
        capabilities=(*_NAMES, *(f"capability-{i}" for i in range(len(_NAMES), num_capabilities)))[:num_capabilities],
        requirement=requirement[1],
        teacher_profile=teacher[1],
        budget_tokens=1000 * num_intervals,
        num_intervals=num_intervals,
        pilots=made,
        pilot_tokens=sum(pilot.tokens for pilot in made),
        composition=chains if known else None,
        num_probes=40,
        learning_rate=np.linspace(1.0, 0.1, num_intervals),
        teacher_exact=None if teacher[1] is None else _exact(teacher[1]),
        teacher_loss=None if teacher[1] is None else _loss(teacher[1]),
    )
    told = f"teacher {teacher[0]}, composition {'known' if known else 'unknown'}, {len(made)} pilots"
    return World(
        label=f"K={num_capabilities}, requirement {requirement[0]}, profile {profiles[0]}, reward {rewards}, {told}",
        problem=problem,
        profiles=profiles[1],
        rewards=_rewards(rewards, requirement[1], profiles[1]),
    )
