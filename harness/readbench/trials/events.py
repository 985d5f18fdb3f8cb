"""What a run tells while it runs: plain values that cross process borders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run; what does not apply keeps its default."""

    kind: Literal["plan", "measured", "started", "interval", "evaluating", "finished", "failed", "complete", "warning"]
    trial: str = ""
    allocator: str = ""
    seed: int = -1
    interval: int = 0  # intervals done
    num_intervals: int = 0
    charged_tokens: int = 0
    budget_tokens: int = 0
    utility_estimate: float | None = None  # r·s on the dev questions
    record: Mapping[str, Any] | None = None  # of a committed interval, as in results.json
    message: str = ""
    num_trials: int = 0
    done_trials: int = 0


def interval_document(capabilities: Sequence[str], record: Mapping[str, Any]) -> dict[str, Any]:
    """An interval's record with the capabilities' names, as it stands in the results."""
    by_capability = ("requested", "allocation", "profile", "exact_match", "train_loss", "examples")
    kept = ("interval", "tokens", "dev_utility", "reward", "epsilon")
    return {key: named(capabilities, record[key]) for key in by_capability} | {key: record[key] for key in kept}


def named(capabilities: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Values by the name of their capability."""
    return dict(zip(capabilities, values, strict=True))
