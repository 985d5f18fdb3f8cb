"""Allocators that learn nothing: a function of what they see now, or a draw from their seed.

Most baselines are one formula. They share these shells, so that their files hold the formula and nothing else.
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


_SEED_BYTES = 8


@dataclass(slots=True)
class Draw:
    """Proposes `formula(seed, observation)`: the seed is the whole state."""

    formula: Callable[[int, Observation], Vector]
    seed: int

    def propose(self, observation: Observation) -> Vector:
        """(K,) on the simplex."""
        return self.formula(self.seed, observation)

    def update(self, feedback: Feedback) -> None:
        """Learns nothing."""

    def state(self) -> bytes:
        """The seed."""
        return self.seed.to_bytes(_SEED_BYTES, "little")

    def restore(self, state: bytes) -> None:
        """Takes the seed back; ValueError if the bytes are not of its length."""
        if len(state) != _SEED_BYTES:
            raise ValueError(f"the state of a draw is the {_SEED_BYTES} bytes of its seed, not {len(state)}")
        self.seed = int.from_bytes(state, "little")
