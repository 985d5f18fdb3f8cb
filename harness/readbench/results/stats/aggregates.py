"""Many scores in one number: interquartile mean, probability of improvement (arXiv 2108.13264).

Arrays are (..., n seeds, K scores); leading axes are a batch, such as the resamples of a bootstrap. Point estimates are the
paper's; the bands around them resample whole seeds (`readbench.results.stats.resampling`), since the K scores of one student
are correlated, not independent runs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def iqm(scores: Array) -> Any:
    """Mean of the middle half of all scores, (...)."""
    from scipy.stats import trim_mean

    return trim_mean(scores.reshape(*scores.shape[:-2], -1), 0.25, axis=-1)


def probability_of_improvement(candidate: Array, reference: Array) -> Any:
    """Chance that a run of the candidate scores above a run of the reference, ties as half; mean over the columns, (...).

    The Mann-Whitney statistic over its maximum: runs are compared across seeds, all with all.
    """
    ours, theirs = candidate[..., :, None, :], reference[..., None, :, :]
    return ((ours > theirs) + 0.5 * (ours == theirs)).mean(axis=(-3, -2, -1))
