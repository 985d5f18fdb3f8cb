"""`per-capability`: distil one required capability at a time, each with its share r_c of the budget.

The requirement cuts the budget [0, 1] into consecutive segments of length r_c, the most needed capability first (ties
in suite order). An interval is a window on the budget; its allocation is how much of the window lies in each segment.
So an interval that straddles a boundary is split in proportion, and over the whole budget the shares are exactly r.
The order matters, as in any sequential training: what was distilled first has the most time to be forgotten.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Rule


@allocator("per-capability")
def per_capability(problem: Problem, seed: int) -> Allocator:
    """The required capabilities one after the other, each with its share of the budget."""
    requirement = problem.requirement
    order = np.argsort(-requirement, kind="stable")  # stable: suite order on ties
    upper = np.empty(requirement.size)
    upper[order] = np.cumsum(requirement[order])
    lower = upper - requirement
    last = order[np.count_nonzero(requirement) - 1]
    upper[last] = 1.0  # so that rounding in the sum leaves no gap at the end

    def formula(observation: Observation) -> Vector:
        # What is left is spread evenly over the intervals that are left. The window is taken from the budget that was
        # really charged, so that an interval that bought less than asked shifts all that follows and loses nothing.
        intervals_left = max(problem.num_intervals - observation.interval, 1)
        start = 1.0 - observation.budget_left
        stop = start + observation.budget_left / intervals_left
        overlap = np.maximum(np.minimum(upper, stop) - np.maximum(lower, start), 0.0)
        if not overlap.any():  # the budget is spent: the window has no width
            overlap[last] = 1.0
        allocation: Vector = overlap / overlap.sum()
        return allocation

    return Rule(formula)
