"""`random`: w ~ Dirichlet(1, ..., 1) anew in each interval, i.e. uniform on the simplex.

What a bandit without feedback does; over many intervals it averages to `uniform`. The draw is keyed by (seed,
interval), so that the seed is the whole state, and the draw of an interval does not depend on those before it.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator

_SEED_BYTES = 8


class RandomShares:
    """One Dirichlet(1) draw an interval."""

    def __init__(self, num_capabilities: int, seed: int) -> None:
        self._num_capabilities = num_capabilities
        self._seed = seed

    def propose(self, observation: Observation) -> Vector:
        """(K,) on the simplex: normalised standard exponentials are Dirichlet(1)."""
        rng = np.random.default_rng((self._seed, observation.interval))
        shares = rng.standard_exponential(self._num_capabilities)
        allocation: Vector = shares / shares.sum()
        return allocation

    def update(self, feedback: Feedback) -> None:
        """Learns nothing."""

    def state(self) -> bytes:
        """The seed."""
        return self._seed.to_bytes(_SEED_BYTES, "little")

    def restore(self, state: bytes) -> None:
        """Takes the seed back; ValueError if the bytes are not of its length."""
        if len(state) != _SEED_BYTES:
            raise ValueError(f"the state of `random` is {_SEED_BYTES} bytes, not {len(state)}")
        self._seed = int.from_bytes(state, "little")


@allocator("random")
def random_shares(problem: Problem, seed: int) -> Allocator:
    """Shares drawn from Dirichlet(1) in each interval."""
    return RandomShares(len(problem.capabilities), seed)
