"""The requirement that a run uses, from where its settings say."""

from collections.abc import Sequence

import numpy as np

from readbench.api import Pilot, Vector
from readbench.trials.requirement.by_pilots import infer


def used_requirement(
    source: str, card: Sequence[float] | Vector, *, pilots: Sequence[Pilot], identified: Sequence[float] | None, joint: bool
) -> Vector:
    """(K,) on the simplex: the one that the pilots infer, the identifier's, or the card's, also while the others are not there yet."""
    if source == "pilots" and pilots:
        return infer(pilots, joint=joint).weights
    return np.array(identified if source == "identifier" and identified is not None else card, dtype=np.float64)
