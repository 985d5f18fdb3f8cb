"""Made-up trials for the conformance kit: every day's case, and the edges of what a contract allows."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from readbench.api import Chain, Feedback, Pilot, Problem, Vector
from readbench.trials.environments.scripted import World, exact_of, loss_of

_NAMES = ("general_knowledge", "steerability", "reasoning", "math", "code", "tool_use", "long_context", "multilingual")

Matrix = npt.NDArray[np.float64]


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


def extreme_worlds(num_intervals: int, *, pilots: bool, teacher: bool) -> Iterator[World]:
    """Every K × requirement × profile; teachers, rewards and what else is known take turns, since their product would take too long.

    With `pilots` all worlds have some, with `teacher` every teacher was measured.
    """
    turn = itertools.count()
    for num_capabilities in (1, 2, 8, 64):
        teachers = {name: profile for name, profile in _teachers(num_capabilities).items() if profile is not None or not teacher}
        requirements = _requirements(num_capabilities)
        if num_capabilities == 64:  # slow: keep only the cases that are special at this size
            del requirements["equal"], requirements["one-hot"]
        for requirement, profiles in itertools.product(requirements.items(), _profiles(num_capabilities, num_intervals).items()):
            i = next(turn)
            yield _world(
                requirement,
                list(teachers.items())[i % len(teachers)],
                profiles,
                _REWARDS[i // len(teachers) % len(_REWARDS)],
                known=i % 2 == 0,
                pilots=pilots or i % 3 == 0,
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
                exact_before=exact_of(before),
                exact_after=exact_of(after),
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
        teacher_exact=None if teacher[1] is None else exact_of(teacher[1]),
        teacher_loss=None if teacher[1] is None else loss_of(teacher[1]),
    )
    told = f"teacher {teacher[0]}, composition {'known' if known else 'unknown'}, {len(made)} pilots"
    world = World(
        label=f"K={num_capabilities}, requirement {requirement[0]}, profile {profiles[0]}, reward {rewards}, {told}",
        problem=problem,
        profiles=profiles[1],
        rewards=_rewards(rewards, requirement[1], profiles[1]),
    )
    return replace(world, problem=replace(problem, profiling=_profiling(world) if pilots else ()))


def _profiling(world: World) -> tuple[tuple[Feedback, ...], ...]:
    """Two pilot trials in the world."""
    size, rng = world.problem.requirement.size, np.random.default_rng(0)
    return tuple(tuple(world.feedback(t, rng.dirichlet(np.ones(size))) for t in range(world.problem.num_intervals)) for _ in range(2))
