"""An allocator whose mistakes fail its trial, with one line that names the allocator."""

from typing import Any

import numpy as np

from readbench.api import Allocator, Explanation, Feedback, Observation, Problem, Vector
from readbench.base.errors import TrialFailure
from readbench.base.plugins import foreign, make_allocator


def mistake_in(explanation: Explanation) -> str:
    """What is wrong with an explanation; empty if nothing is."""
    count = len(explanation.candidates)
    shapes = {"predicted": (count,), "sd": (count,), "candidates": (count, explanation.candidates.shape[-1])}
    if explanation.scores is not None:
        shapes["scores"] = shapes["candidates"]
    for name, shape in shapes.items():
        values = getattr(explanation, name)
        if values.shape != shape or not np.isfinite(values).all():
            return f"{name} that are not {shape} finite numbers"
    if (explanation.sd < 0).any():
        return "an sd below 0"
    if not 0 <= explanation.chosen < count:
        return f"candidate {explanation.chosen} of {count}"
    return "" if len(explanation.labels) in (0, count) else f"{len(explanation.labels)} labels of {count} candidates"


class GuardedAllocator:
    """A plug-in's allocator; TrialFailure if it raises, or proposes something that is not an allocation."""

    def __init__(self, name: str, problem: Problem, seed: int, **params: Any) -> None:
        self._name = name
        with foreign("allocator", name):
            self._allocator: Allocator = make_allocator(name, problem, seed, **params)

    def propose(self, observation: Observation) -> Vector:
        """The allocator's proposal (K,), checked, and scaled to sum to 1."""
        with foreign("allocator", self._name):
            proposed = np.asarray(self._allocator.propose(observation), dtype=np.float64)
        where = f"in interval {observation.interval}"
        if proposed.shape != observation.profile.shape:
            raise TrialFailure(f"allocator {self._name!r} proposed shape {proposed.shape} {where}, not (K,)")
        if not np.isfinite(proposed).all() or (proposed < 0).any() or abs(proposed.sum() - 1) > 1e-6:
            raise TrialFailure(f"allocator {self._name!r} proposed {proposed.tolist()} {where}: not on the simplex")
        allocation: Vector = proposed / proposed.sum()
        return allocation

    def explain(self) -> Explanation | None:
        """The explanation of the last proposal, checked, if the allocator gives one."""
        explain = getattr(self._allocator, "explain", None)
        if explain is None:
            return None
        with foreign("allocator", self._name):
            explanation: Explanation | None = explain()
            mistake = "" if explanation is None else mistake_in(explanation)
        if mistake:
            raise TrialFailure(f"allocator {self._name!r} explained its proposal by {mistake}")
        return explanation

    def update(self, feedback: Feedback) -> None:
        """Passes on the interval's feedback."""
        with foreign("allocator", self._name):
            self._allocator.update(feedback)

    def state(self) -> bytes:
        """The allocator's state."""
        with foreign("allocator", self._name):
            return bytes(self._allocator.state())

    def restore(self, state: bytes) -> None:
        """Restores the allocator's state."""
        with foreign("allocator", self._name):
            self._allocator.restore(state)
