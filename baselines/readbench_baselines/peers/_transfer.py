"""A transfer matrix from the mixes that were played: Δs_j ≈ Σ_i w_i·A_ij, by ridge regression."""

import numpy as np
import numpy.typing as npt

from readbench.api import Feedback, Pilot, Vector

Matrix = npt.NDArray[np.float64]
RIDGE = 0.1  # in squared shares: as much as one interval with a third of the tokens


def no_evidence(size: int) -> dict[str, Matrix]:
    """The sums that `add` adds to: Σ w·wᵀ and Σ w·Δsᵀ, both (K, K)."""
    return {"gram": np.zeros((size, size)), "cross": np.zeros((size, size))}


def add(sums: dict[str, Vector], played: Feedback | Pilot, kept: float = 1.0) -> None:
    """Adds an interval or a pilot; of what was there before, the share `kept` stays."""
    change = played.profile_after - played.profile_before
    sums["gram"] = kept * sums["gram"] + np.outer(played.allocation, played.allocation)
    sums["cross"] = kept * sums["cross"] + np.outer(played.allocation, change)


def transfer(sums: dict[str, Vector]) -> Matrix:
    """A (K, K): what capability j gains if all tokens go to i.

    The ridge pulls towards a diagonal of each capability's own rate Σ w_i·Δs_i / Σ w_i², if positive. Mixes hardly vary in a dozen
    intervals, and towards zero, shares that always rise together would split their effect.
    """
    gram, cross = sums["gram"], sums["cross"]
    own = np.divide(np.diag(cross), np.diag(gram), out=np.zeros(len(gram)), where=np.diag(gram) > 0)
    expected = np.diag(np.maximum(own, 0.0))
    matrix: Matrix = expected + np.linalg.solve(gram + RIDGE * np.eye(len(gram)), cross - gram @ expected)
    return matrix


def scaled(matrix: Matrix) -> Matrix:
    """The matrix with its largest magnitude at 1; zeros as they are."""
    largest = np.abs(matrix).max()
    return matrix / largest if largest > 0 else matrix
