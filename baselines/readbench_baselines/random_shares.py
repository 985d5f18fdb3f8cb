"""`random`: w ~ Dirichlet(1, ..., 1) anew in each interval, i.e. uniform on the simplex.

What a bandit without feedback does; over many intervals it averages to `uniform`. The draw is keyed by (seed,
interval), so that the seed is the whole state, and the draw of an interval does not depend on those before it.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Draw


@allocator("random")
def random_shares(problem: Problem, seed: int) -> Allocator:
    """Shares drawn from Dirichlet(1) in each interval."""

    def shares(seed: int, observation: Observation) -> Vector:
        drawn = np.random.default_rng((seed, observation.interval)).standard_exponential(len(problem.capabilities))
        normalised: Vector = drawn / drawn.sum()  # normalised standard exponentials are Dirichlet(1)
        return normalised

    return Draw(shares, seed)
