"""`sparse-mix`: one random mix over one to four capabilities, the same in every interval.

The interventions of ReAD (arXiv 2605.11290, requirement) are random sparse Dirichlet allocations: with it as their allocator, pilots
are ordinary trials. As a competitor it shows what luck does: how much one random focus differs from another.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Draw

MOST = 4  # capabilities of a mix


@allocator("sparse-mix")
def sparse_mix(problem: Problem, seed: int) -> Allocator:
    """One random mix over one to four capabilities for the whole trial, as in pilots."""
    num_capabilities = len(problem.capabilities)

    def mix(seed: int, observation: Observation) -> Vector:
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, min(MOST, num_capabilities), endpoint=True))
        allocation: Vector = np.zeros(num_capabilities)
        allocation[rng.choice(num_capabilities, count, replace=False)] = rng.dirichlet(np.ones(count))
        return allocation

    return Draw(mix, seed)
