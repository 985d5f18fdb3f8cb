"""`one-hot`: everything on the capability with the largest r_c.

Ties: the first of the largest in suite order. Splitting a tie would be a mix and no longer one-hot; the price is that
the rule is equivariant under permutation of the capabilities only where the largest r_c is unique.
"""

import numpy as np

from readbench.api import Allocator, Problem, allocator
from readbench_baselines._rule import Rule


@allocator("one-hot")
def one_hot(problem: Problem, seed: int) -> Allocator:
    """Everything on the capability that the task needs most."""
    allocation = np.zeros(problem.requirement.size)
    allocation[np.argmax(problem.requirement)] = 1.0
    return Rule(lambda observation: allocation.copy())
