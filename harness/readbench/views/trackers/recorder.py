"""What a sink is: the protocol that it follows, and what it is told of the run and its trials.

The calls come in this order, all in one process and one thread: `start`; the intervals of each trial, oldest first, and then its end; at
last `close`. Trials run side by side, so their intervals come interleaved. Every interval and every end comes once: a resumed run goes on
where the sink stood (`progress`). An exception drops the sink, never the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInfo:
    """One trial of the run."""

    id: str  # 16 hex digits
    allocator: str
    seed: int
    params: Mapping[str, Value]  # of the allocator, defaults included

    @property
    def name(self) -> str:
        """``read-s0``: what people call it; unique in its run."""
        return f"{self.allocator}-s{self.seed}"

    def parameters(self) -> dict[str, Value]:
        """What it ran, flat."""
        return {"allocator": self.allocator, "seed": self.seed, "trial": self.id, **{f"params.{k}": v for k, v in self.params.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run."""

    folder: Path  # absolute
    suite: str  # the suite's name
    config: Mapping[str, Any]  # as in results.json: what the results depend on
    trials: Mapping[str, TrialInfo]  # by id

    @property
    def name(self) -> str:
        """The run directory's name."""
        return self.folder.name


class Recorder(Protocol):
    """A sink; made without arguments in its own process, where it imports its library."""

    def start(self, run: RunInfo, key: str) -> None:
        """Begins the run, or finds it again: `key` (16 hex digits) is this sink's own, the same whenever the run resumes."""

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """What a committed interval measured; `step` is the tokens that the trial has charged so far."""

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:
        """What the trial came to; nothing where it failed (not `complete`), and a failed trial may be tried again."""

    def close(self, results: Path | None) -> None:
        """The run has ended with that results.json, or was stopped (None) and may resume later."""
