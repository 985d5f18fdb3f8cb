"""`fixed`: a mix that the user gives, in every interval.

For a mix that is known to be good, or to train one capability alone: ``--set params.allocator.fixed.mix=code:3,math:1``.
"""

import math

import numpy as np

from readbench.api import Allocator, Problem, Vector, allocator
from readbench_baselines._rule import Rule


@allocator("fixed")
def fixed(problem: Problem, seed: int, *, mix: str = "") -> Allocator:
    """A mix that you give, as capability:weight with commas (code:3,math:1); without one, the requirement."""
    shares = shares_of(mix, problem.capabilities) if mix else problem.requirement.copy()
    return Rule(lambda observation: shares.copy())


def shares_of(mix: str, capabilities: tuple[str, ...]) -> Vector:
    """(K,) on the simplex; ValueError if the text is no mix of these capabilities."""
    weights = np.zeros(len(capabilities))
    for part in mix.split(","):
        name, colon, text = part.strip().rpartition(":")
        if name not in capabilities:
            raise ValueError(f"{part.strip()!r} is not of the form capability:weight with one of {', '.join(capabilities)}")
        try:
            weight = float(text)
        except ValueError:
            weight = math.nan
        if not colon or not 0 <= weight < math.inf:
            raise ValueError(f"the weight of {name} is {text!r}, not a number of 0 or more")
        weights[capabilities.index(name)] += weight
    if not weights.any():
        raise ValueError(f"the mix {mix!r} has no weight above 0")
    shares: Vector = weights / weights.sum()
    return shares
