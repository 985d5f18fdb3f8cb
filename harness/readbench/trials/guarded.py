"""An allocator whose mistakes fail its trial, with one line that names the allocator."""

from typing import Any

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector
from readbench.base.errors import TrialFailure
from readbench.base.plugins import foreign, make_allocator


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
