"""An allocator that learns nothing: a function of what it sees now.

Most baselines are one formula. They share this shell, so that their files hold the formula and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from readbench.api import Feedback, Observation, Vector


@dataclass(frozen=True, slots=True)
class Rule:
    """Proposes `formula(observation)` and keeps no state, so there is nothing to learn, to save or to restore."""

    formula: Callable[[Observation], Vector]

    def propose(self, observation: Observation) -> Vector:
        """(K,) on the simplex."""
        return self.formula(observation)

    def update(self, feedback: Feedback) -> None:
        """Learns nothing."""

    def state(self) -> bytes:
        """No bytes."""
        return b""

    def restore(self, state: bytes) -> None:
        """Accepts no bytes; ValueError on any other state, which is then another allocator's."""
        if state:
            raise ValueError(f"a rule without learning has an empty state, not one of {len(state)} bytes")
