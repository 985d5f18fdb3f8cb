"""A run's events while it runs: plain values that cross process borders."""

from dataclasses import dataclass
from typing import Literal

from readbench.trials.record.interval import Interval


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run; fields that do not apply keep their defaults."""

    kind: Literal["plan", "measured", "trained", "started", "interval", "evaluating", "finished", "failed", "complete", "warning"]
    trial: str = ""
    allocator: str = ""
    seed: int = -1
    interval: int = 0  # intervals done
    num_intervals: int = 0
    charged_tokens: int = 0
    budget_tokens: int = 0
    utility_estimate: float | None = None  # r·s on the dev questions
    done: Interval | None = None  # a committed interval
    message: str = ""
    num_trials: int = 0
    done_trials: int = 0
