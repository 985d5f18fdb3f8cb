"""Exact tests by sign flips, and whole-seed bootstrap bands. Seeded: the same numbers give the same answer.

If two allocators do not differ, the sign of a seed's difference is a coin toss: all 2ⁿ sign patterns are equally likely.
Flipping a whole seed keeps the correlation between the K scores of one student, as the maximum statistic requires
(Westfall and Young, 1993). With n seeds no two-sided p can be below 2/2ⁿ: 0.0625 for five.

A bootstrap that resamples whole seeds keeps that correlation, unlike one that resamples scores within a task; but with five
seeds its percentile interval covers 84 %, not 95 %. Bands drawn with it are a picture, not a test.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.results.stats.paired import CONFIDENCE, is_constant

Matrix = npt.NDArray[np.float64]

MOST_EXACT = 14  # seeds up to which all 2ⁿ patterns are tried
NUM_RANDOM = 20_000  # patterns beyond that, the observed one included
NUM_BOOTSTRAP = 2_000
_TOLERANCE = 1e-9  # relative: a pattern that ties with the observed one counts as at least as extreme, whatever the rounding


def sign_flip(differences: Sequence[float]) -> float | None:
    """Two-sided p of the mean under sign flips; None if the differences have no spread."""
    if is_constant(differences):
        return None
    from scipy.stats import permutation_test

    exact = len(differences) <= MOST_EXACT
    outcome = permutation_test(
        (np.asarray(differences, dtype=np.float64),),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf if exact else NUM_RANDOM - 1,
        vectorized=True,
        axis=-1,
        rng=np.random.default_rng(0),
    )
    return float(outcome.pvalue)


def max_t(differences: Matrix) -> list[float | None]:
    """Adjusted p of each column of (n seeds, m metrics): share of sign patterns whose largest |t| reaches the column's own.

    |t| of n differences is a monotone function of |Σd| / √Σd², the same for all columns, and a flip does not change the root;
    so the test compares that ratio. Columns without spread give None and are left out.
    """
    result: list[float | None] = [None] * differences.shape[1]
    tested = [column for column in range(differences.shape[1]) if not is_constant(differences[:, column].tolist())]
    if tested:
        scaled = differences[:, tested] / np.sqrt(np.sum(differences[:, tested] ** 2, axis=0))  # (n, tested)
        observed = np.abs(scaled.sum(axis=0))
        largest = np.abs(_signs(len(differences)) @ scaled).max(axis=1)  # (patterns,)
        reached = largest[:, None] >= observed * (1 - _TOLERANCE)
        for column, p_value in zip(tested, reached.mean(axis=0).tolist(), strict=True):
            result[column] = p_value
    return result


def _signs(n: int) -> Matrix:
    """Rows of ±1, (patterns, n): all of them, or the observed one and a seeded sample."""
    if n <= MOST_EXACT:
        return np.asarray(1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1), dtype=np.float64)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(NUM_RANDOM, n))
    signs[0] = 1.0
    return np.asarray(signs, dtype=np.float64)


def whole_seed_band(statistic: Callable[..., Any], *samples: Matrix, confidence: float = CONFIDENCE) -> Any:
    """(lower, upper) percentile bootstrap band of a statistic of arrays (n, K) whose first axis is the seed.

    Every resample draws the same seeds from all arrays, so that one seed's data stay together. `statistic` takes the arrays
    with a leading axis of resamples, (R, n, K) each, and returns (R, ...).
    """
    n = len(samples[0])
    drawn = np.random.default_rng(0).integers(0, n, size=(NUM_BOOTSTRAP, n))
    values = statistic(*(sample[drawn] for sample in samples))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high
