"""`weakest`: most tokens for the required capability with the lowest score, the rest for the requirement."""

from dataclasses import dataclass

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator


@dataclass
class Weakest:
    """Keeps no state: it decides on what it sees now."""

    requirement: Vector
    share: float

    def propose(self, observation: Observation) -> Vector:
        """(K,) on the simplex."""
        needed = np.where(self.requirement > 0, observation.profile, np.inf)
        allocation = (1 - self.share) * self.requirement
        allocation[needed.argmin()] += self.share
        return allocation

    def update(self, feedback: Feedback) -> None:
        """Learns nothing."""

    def state(self) -> bytes:
        """Nothing to keep."""
        return b""

    def restore(self, state: bytes) -> None:
        """Accepts only what `state` returns."""
        if state:
            raise ValueError("`weakest` keeps no state")


@allocator("weakest")
def weakest(problem: Problem, seed: int, *, share: float = 0.5) -> Allocator:
    """A share for the needed capability that is weakest now, the rest for the requirement."""
    return Weakest(problem.requirement, share)
