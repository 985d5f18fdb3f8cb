"""What makes two runs the same measurement, and what else about a run may change: the change that a gate is there to judge.

The measurement is the suite, its questions, the models, the budget and how often and on how much is measured: where one of these
differs, the values answer different questions, and there is nothing to compare. All else (learning rate, an allocator's
parameters, objective, code, versions) is the change under test: it is named beside the verdict, never refused, since a gate that
refused a cut learning rate could not catch it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from readbench.base.hashing import json_hash
from readbench.base.nested import flatten
from readbench.results.document.model import Results

Value = str | int | float | bool | None
ABSENT = "absent"

_MEASURED_CONFIG = ("num_intervals", "num_probes", "num_dev")
_MEASURED_PROVENANCE = ("suite", "data", "teacher", "student")
_COVERAGE = ("allocators", "objectives", "budgets", "seeds")  # what was run, not how: a verdict names the seeds that it lacks
_BY_CONTENT = ("suite", "teacher", "student")  # references: one model may be in two places; its hash counts


def measurement_of(results: Results) -> dict[str, Value]:
    """By dotted key."""
    measured: dict[str, Value] = {"suite.name": results.suite.name, "suite.version": results.suite.version}
    measured |= {key: getattr(results.config, key) for key in _MEASURED_CONFIG}
    measured["budget_tokens"] = _one_or_all(results.config.budgets)
    return measured | {f"hash.{key}": getattr(results.provenance, key) for key in _MEASURED_PROVENANCE}


def settings_of(results: Results, *, allocators: Collection[str]) -> dict[str, Value]:
    """Every recorded thing that may change between two runs of one measurement, by dotted key; of these allocators all parameters."""
    config, environment = asdict(results.config), results.environment
    resolved = {trial.allocator: trial.params for trial in results.trials}  # defaults included
    params = results.other_params() | {"allocator": {name: resolved[name] for name in allocators}}
    left_out = {*_MEASURED_CONFIG, *_COVERAGE, *_BY_CONTENT, "params"}
    recorded = {key: value for key, value in config.items() if key not in left_out} | {
        "objective": _one_or_all(config["objectives"]),
        "params": params,
        "hash": {"code": results.provenance.code},
        "python": environment.get("python"),
        "packages": environment.get("packages"),
        "fingerprint": environment.get("fingerprint"),
    }
    return {key: _plain(value) for key, value in flatten(recorded)}


def config_hash(results: Results) -> str:
    """32 hex digits of the whole resolved config."""
    return json_hash(asdict(results.config))


def differences(then: Mapping[str, Value], now: Mapping[str, Value]) -> tuple[str, ...]:
    """``key old → new`` of every key that differs, sorted by key."""
    return tuple(
        f"{key} {_shown(then, key)} → {_shown(now, key)}" for key in sorted({*then, *now}) if then.get(key, ABSENT) != now.get(key, ABSENT)
    )


def _shown(values: Mapping[str, Value], key: str) -> str:
    value = values.get(key, ABSENT)
    return str(value)[:12] if key.startswith("hash.") else str(value)


def _one_or_all(values: Sequence[Value]) -> Value:
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _plain(value: Any) -> Value:
    """The value as it is compared: the environment is free, and values in it that are not plain are compared as text."""
    return value if isinstance(value, (str, int, float, type(None))) else json.dumps(value, sort_keys=True)
