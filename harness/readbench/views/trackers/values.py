"""The names and numbers that every sink is given: a slash parts a group from its member, as all four trackers draw it.

Units are those of results.json. Text that models wrote is not among them.
"""

from collections.abc import Mapping
from typing import Any

from readbench.api import Value
from readbench.base.nested import flatten

_BY_CAPABILITY = ("profile", "exact_match", "allocation", "train_loss")
_WHOLE = ("dev_utility", "reward", "epsilon")


def interval_values(record: Mapping[str, Any]) -> dict[str, float]:
    """The values of an interval in results.json; a loss of a capability that was not taught is left out."""
    values = {f"{group}/{c}": float(value) for group in _BY_CAPABILITY for c, value in record[group].items() if value is not None}
    return values | {name: float(record[name]) for name in _WHOLE}


def interval_tokens(record: Mapping[str, Any]) -> int:
    """What the interval charged."""
    tokens: int = record["tokens"]["generated"] + record["tokens"]["trained"]
    return tokens


def final_values(trial: Mapping[str, Any]) -> dict[str, float]:
    """The values of a trial in results.json; nothing unless it is complete."""
    if trial["status"] != "complete":
        return {}
    grouped = {f"{group}/{name}": float(value) for group in ("tokens", "seconds") for name, value in trial[group].items()}
    return {name: float(value) for name, value in trial["metrics"].items()} | grouped


def flat_config(config: Mapping[str, Any]) -> dict[str, Value]:
    """The settings by dotted key; lists as comma-separated text."""
    return {key: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value for key, value in flatten(config)}
