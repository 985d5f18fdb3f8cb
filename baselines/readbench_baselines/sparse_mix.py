"""`sparse-mix`: one random mix over one to four capabilities, the same in every interval.

The interventions of ReAD (arXiv 2605.11290, requirement) are random sparse Dirichlet allocations: with it as their allocator, pilots
are ordinary trials. As a competitor it shows what luck does: how much one random focus differs from another.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator

MOST = 4  # capabilities of a mix
_SEED_BYTES = 8


class SparseMix:
    """One draw for the whole trial: the seed is the whole state."""

    def __init__(self, num_capabilities: int, seed: int) -> None:
        self._num_capabilities = num_capabilities
        self._seed = seed

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 - blind to what happens
        """(K,) on the simplex: Dirichlet(1, ..., 1) over the chosen capabilities."""
        rng = np.random.default_rng(self._seed)
        count = int(rng.integers(1, min(MOST, self._num_capabilities), endpoint=True))
        allocation: Vector = np.zeros(self._num_capabilities)
        allocation[rng.choice(self._num_capabilities, count, replace=False)] = rng.dirichlet(np.ones(count))
        return allocation

    def update(self, feedback: Feedback) -> None:
        """Learns nothing."""

    def state(self) -> bytes:
        """The seed."""
        return self._seed.to_bytes(_SEED_BYTES, "little")

    def restore(self, state: bytes) -> None:
        """Takes the seed back; ValueError if the bytes are not of its length."""
        if len(state) != _SEED_BYTES:
            raise ValueError(f"the state of `sparse-mix` is {_SEED_BYTES} bytes, not {len(state)}")
        self._seed = int.from_bytes(state, "little")


@allocator("sparse-mix")
def sparse_mix(problem: Problem, seed: int) -> Allocator:
    """One random mix over one to four capabilities for the whole trial, as in pilots."""
    return SparseMix(len(problem.capabilities), seed)
