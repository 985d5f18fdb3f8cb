"""`sparse-mix`: one random mix over one to four capabilities, the same in every interval or, with `fresh`, a new one in each.

The interventions of ReAD (arXiv 2605.11290, requirement) are random sparse Dirichlet allocations: with it as their allocator, pilots
are ordinary trials; pilot trials draw a new mix in each interval. As a competitor it shows what luck does: how much one random focus
differs from another.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Draw

MOST = 4  # capabilities of a mix


@allocator("sparse-mix")
def sparse_mix(problem: Problem, seed: int, *, fresh: bool = False) -> Allocator:
    """One random mix over one to four capabilities for the whole trial, as in pilots, or a new one in each interval (`fresh`)."""
    num_capabilities = len(problem.capabilities)

    def mix(seed: int, observation: Observation) -> Vector:
        rng = np.random.default_rng((seed, observation.interval) if fresh else seed)
        count = int(rng.integers(1, min(MOST, num_capabilities), endpoint=True))
        allocation: Vector = np.zeros(num_capabilities)
        allocation[rng.choice(num_capabilities, count, replace=False)] = rng.dirichlet(np.ones(count))
        return allocation

    return Draw(mix, seed)
