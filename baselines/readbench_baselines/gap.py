"""`gap`: w_c ∝ r_c · max(0, s_teacher,c − s_c), with a floor of uniform replay (no learning).

    w = (1 − floor) · p + floor · uniform,   p_c = r_c · gap_c / Σ_j r_j · gap_j,   gap_c = max(0, s_teacher,c − s_c)

It gives tokens where the task needs them and there is room to grow, and replays a little of everything else, which
costs little and keeps it from being forgotten. Where the teacher was not measured its score is taken as 1; where no
required capability has room left, p = r. It is blind to what cannot be learned: a capability that does not move keeps
its gap, and so its tokens.
"""

import numpy as np

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines._rule import Rule


@allocator("gap")
def gap(problem: Problem, seed: int, *, floor: float = 0.05) -> Allocator:
    """Room to grow up to the teacher times requirement, with a floor of uniform replay."""
    if not 0.0 <= floor <= 1.0:
        raise ValueError(f"floor is the share of uniform replay, in [0, 1], not {floor}")
    requirement = problem.requirement
    ceiling = np.ones_like(requirement) if problem.teacher_profile is None else problem.teacher_profile

    def formula(observation: Observation) -> Vector:
        room = requirement * np.maximum(ceiling - observation.profile, 0.0)
        focus = room / room.sum() if room.any() else requirement
        return (1.0 - floor) * focus + floor / requirement.size

    return Rule(formula)
