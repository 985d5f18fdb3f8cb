"""Allocators whose state breaks a rule of the conformance kit, one for each way."""

# ruff: noqa: ARG002  (a broken allocator often breaks a rule by ignoring an argument)

import numpy as np

from readbench.api import Feedback, Observation, Problem, Vector
from support.broken_allocators import Sound


class TextState(Sound):
    def state(self) -> bytes:
        return super().state().hex()  # type: ignore[return-value]


class StateMoves(Sound):
    def state(self) -> bytes:
        self.gains = self.gains + 0.01 * np.arange(self.gains.size)
        return super().state()


class ForgetsItsGains(Sound):
    def restore(self, state: bytes) -> None:
        super().restore(state)
        self.gains = np.zeros_like(self.gains)


class ForgetsItsSeed(Sound):
    def restore(self, state: bytes) -> None:
        seed = self.seed
        super().restore(state)
        self.seed = seed


class SettlesTiesByItsFirstSeed(Sound):
    """The most needed capability; the seed breaks ties, once, and the state does not hold its choice."""

    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, seed)
        self.order = np.random.default_rng(seed).permutation(len(problem.capabilities))

    def propose(self, observation: Observation) -> Vector:
        first = self.order[np.argmax(self.problem.requirement[self.order])]
        return self.simplex(np.eye(self.gains.size)[first])


class RoundsItsState(Sound):
    def state(self) -> bytes:
        return self.seed.to_bytes(8, "little") + self.gains.astype(np.float32).astype(np.float64).tobytes()


class KeepsItsPast(Sound):
    """Restores what it saved, but not a counter, which keeps counting."""

    steps = 0

    def update(self, feedback: Feedback) -> None:
        super().update(feedback)
        self.steps += 1

    def simplex(self, weights: Vector) -> Vector:
        return super().simplex(weights + self.steps * np.eye(weights.size)[0])


class RefusesItsOwnState(Sound):
    def restore(self, state: bytes) -> None:
        raise ValueError("never")


class TakesAnything(Sound):
    def restore(self, state: bytes) -> None:
        if len(state) == 8 + self.gains.nbytes:
            super().restore(state)


class TakesALongState(Sound):
    def restore(self, state: bytes) -> None:
        super().restore(state[: 8 + self.gains.nbytes])


class FailsOtherwise(Sound):
    def restore(self, state: bytes) -> None:
        if len(state) != 8 + self.gains.nbytes:
            raise KeyError("gains")
        super().restore(state)
