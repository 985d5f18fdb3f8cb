"""`uniform`: w_c = 1/K for all K capabilities, needed or not.

The reference that looks at nothing, neither at the requirement nor at the profile. Everything is replayed, and most
tokens may go to what the task does not need.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Rule


@allocator("uniform")
def uniform(problem: Problem, seed: int) -> Allocator:
    """Equal shares for all capabilities."""

    def formula(observation: Observation) -> Vector:
        return np.full(observation.profile.size, 1.0 / observation.profile.size)

    return Rule(formula)
