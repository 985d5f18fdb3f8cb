"""A pass over an interval's examples: what goes in beside their tokens, and what comes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Loss, Vector
from readbench.models import batches
from readbench.models.batches import Encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What is known of N sequences besides their tokens."""

    reward: Vector | None = None  # (N,) the verifiers' scores
    advantage: Vector | None = None  # (N,) of sequences that the student wrote
    teacher_logprob: Sequence[Vector] | None = None  # N log-probabilities of their labels, likewise
    reference_logprob: Sequence[Vector] | None = None  # likewise, by the untrained student
    teacher_top: Sequence[Vector] | None = None  # N matrices (labels, 2·k + 1): see `readbench.api.ScoringTeacher.top`


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over N examples."""

    losses: Vector  # (N,) nats: the sum over label tokens of each example's loss, before the step that it takes part in
    figures: Mapping[str, tuple[float, int]]  # the objective's, by name: sum, and tokens that it was summed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Examples that go through the student together."""

    indices: list[int]  # in the pass; none, where it is there for the other ranks' sake
    examples: Sequence[Encoded]
    capabilities: Sequence[int]
    given: dict[str, torch.Tensor]  # of a `Batch`, beside what the student computes


class Figures:
    """Sums of an objective's figures over a pass."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    @classmethod
    def added(cls, each: Iterable[Mapping[str, tuple[float, int]]]) -> dict[str, tuple[float, int]]:
        """Those of all ranks."""
        figures = cls()
        for sums in each:
            for name, found in sums.items():
                figures.add((name,), found)
        return figures.sums

    def add(self, names: Iterable[str], sums: Sequence[float]) -> None:
        """A step's: `sums` holds a sum and a count for each name."""
        for name, value, count in zip(names, sums[::2], sums[1::2], strict=True):
            before, counted = self.sums.get(name, (0.0, 0))
            self.sums[name] = before + value, counted + int(count)


def sums_of(loss: Loss) -> list[torch.Tensor]:
    """Of each figure the sum, and how many tokens have it."""
    return [sums for values in loss.figures.values() for sums in (values.nansum()[None], (~values.isnan()).sum()[None])]


def rows_of_labels(batch: batches.Batch) -> npt.NDArray[np.int64]:
    """(N,) the row that each label token belongs to."""
    counts = np.diff(np.append(batch.starts, len(batch.labels)))
    return np.repeat(np.arange(len(counts)), counts)
