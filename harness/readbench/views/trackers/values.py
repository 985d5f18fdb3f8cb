"""The names and numbers that every sink is given: a slash parts a group from its member, as all four trackers draw it.

Units are those of results.json. Text that models wrote is not among them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from readbench.api import Value
from readbench.base.nested import flatten
from readbench.results.document.model import CompleteTrial, TrialResult
from readbench.trials.record.interval import Interval

_BY_CAPABILITY = ("profile", "exact_match", "allocation", "train_loss")
_WHOLE = ("dev_utility", "reward", "epsilon")


def interval_values(interval: Interval) -> dict[str, float]:
    """The values of an interval; what was not measured is left out, and so is the loss of a capability that was not taught."""
    values = {
        f"{group}/{c}": float(value) for group in _BY_CAPABILITY for c, value in getattr(interval, group).items() if value is not None
    }
    values |= {f"figures/{name}": value for name, value in interval.figures.items()}
    return values | {name: float(value) for name in _WHOLE if (value := getattr(interval, name)) is not None}


def final_values(trial: TrialResult) -> dict[str, float]:
    """The values of a trial; nothing unless it is complete."""
    if not isinstance(trial, CompleteTrial):
        return {}
    groups = {"tokens": asdict(trial.tokens), "seconds": asdict(trial.seconds)}
    grouped = {f"{group}/{name}": float(value) for group, values in groups.items() for name, value in values.items()}
    return {name: float(value) for name, value in asdict(trial.metrics).items()} | grouped


def flat_config(config: Mapping[str, Any]) -> dict[str, Value]:
    """The settings by dotted key; lists as comma-separated text."""
    return {key: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value for key, value in flatten(config)}
