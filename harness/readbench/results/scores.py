"""The numbers of a results document, by allocator, metric and seed: what comparisons, gates and pictures are made of.

Only complete trials count. ``profile.<capability>`` is the trained student's score on that capability's probes; the score before
training is the same for all allocators of a seed, so differences between allocators are differences of what was learned.
"""

from collections.abc import Mapping
from typing import Any

from readbench.suites.metric_names import PROFILE, metrics_of


def metric_values(document: Mapping[str, Any]) -> dict[str, dict[str, dict[int, float]]]:
    """By allocator, metric and seed: the values of the complete trials; a metric that a trial lacks has no entry for its seed."""
    metrics = metrics_of(document["suite"]["capabilities"])
    values: dict[str, dict[str, dict[int, float]]] = {}
    for trial in document["trials"]:
        if trial["status"] == "complete":
            by_metric = values.setdefault(trial["allocator"], {metric.name: {} for metric in metrics})
            for name, by_seed in by_metric.items():
                value = _value(trial, name)
                if value is not None:
                    by_seed[trial["seed"]] = value
    return values


def planned_seeds(document: Mapping[str, Any]) -> dict[str, set[int]]:
    """The seeds that each allocator was to run, whether or not they ended well."""
    seeds: dict[str, set[int]] = {}
    for trial in document["trials"]:
        seeds.setdefault(trial["allocator"], set()).add(trial["seed"])
    return seeds


def _value(trial: Mapping[str, Any], metric: str) -> float | None:
    held, key = (trial["profile"]["after"], metric.removeprefix(PROFILE)) if metric.startswith(PROFILE) else (trial["metrics"], metric)
    value = held.get(key)
    return None if value is None else float(value)
