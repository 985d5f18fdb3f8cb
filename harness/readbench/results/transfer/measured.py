"""The transfer matrix: what training one capability alone, with a budget, does to every score.

T_ij(B) = s_j(student trained on i alone with budget B) − s_j(start) (ReAD, arXiv 2605.11290). On the diagonal is the intended effect; the
rest is transfer where positive and spillover where negative. Each cell is a mean over seeds, which draw other prompts, with a 95 %
interval of Student's t. Unlike the transfer that is observed in whatever allocators did, this one is an experiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.results.stats import difference_of
from readbench.trials.record.trial_file import TrialRecord

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMatrix:
    """Arrays (B, K, K): budget, capability that was trained, score that moved."""

    capabilities: tuple[str, ...]
    budgets: tuple[int, ...]  # tokens
    seeds: tuple[int, ...]
    change: Array  # of the score, mean over seeds
    low: Array  # of its 95 % interval; NaN below three seeds
    high: Array

    @property
    def separated(self) -> npt.NDArray[np.bool_]:
        """(B, K, K) whether the interval excludes 0."""
        return (self.low > 0) | (self.high < 0)

    def document(self) -> dict[str, Any]:
        """JSON values; a missing bound is null."""
        arrays = {name: _nested(getattr(self, name)) for name in ("change", "low", "high")}
        return {"capabilities": self.capabilities, "budgets": self.budgets, "seeds": self.seeds, **arrays}


def matrix_of(
    records: Sequence[TrialRecord], capabilities: Sequence[str], *, budgets: Sequence[int], seeds: Sequence[int]
) -> TransferMatrix:
    """The matrix from the records of the trainings: by budget, then capability, then seed."""
    changes = np.array([np.subtract(record.intervals[-1]["profile"], (record.start or {})["profile"]) for record in records])
    count = len(capabilities)
    by_seed = changes.reshape(len(budgets), count, len(seeds), count).swapaxes(2, 3)  # (B, K, K, seeds)
    low, high = (np.full(by_seed.shape[:3], np.nan) for _ in range(2))
    for cell in np.ndindex(*by_seed.shape[:3]):
        found = difference_of(by_seed[cell].tolist())
        if found is not None and found.interval is not None:
            low[cell], high[cell] = found.interval
    return TransferMatrix(
        capabilities=tuple(capabilities), budgets=tuple(budgets), seeds=tuple(seeds), change=by_seed.mean(axis=3), low=low, high=high
    )


def _nested(array: Array) -> Any:
    return [[[None if np.isnan(value) else value for value in row] for row in matrix] for matrix in array.tolist()]
