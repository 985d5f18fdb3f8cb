"""`task-static`: w = r in every interval.

The requirement taken for an allocation. It is a poor one where a capability that is hard to learn needs more than
its weight, and it replays nothing that the task does not need.
"""

from readbench.api import Allocator, Problem, allocator
from readbench_baselines._rule import Rule


@allocator("task-static")
def task_static(problem: Problem, seed: int) -> Allocator:
    """The requirement itself, in every interval."""
    return Rule(lambda observation: problem.requirement.copy())
