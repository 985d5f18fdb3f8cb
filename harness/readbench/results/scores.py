"""The numbers in results, by allocator, metric and seed: the input of comparisons, gates and pictures.

Only complete trials count. ``profile.<capability>`` is the trained student's score on that capability's probes; the score before
training is the same for all allocators of a seed, so differences between allocators are differences in learning.
"""

from readbench.results.document.model import CompleteTrial, Results
from readbench.suites.metric_names import PROFILE, metrics_of


def metric_values(results: Results) -> dict[str, dict[str, dict[int, float]]]:
    """The complete trials' values, by allocator, metric and seed."""
    metrics = metrics_of(results.suite.capabilities)
    values: dict[str, dict[str, dict[int, float]]] = {}
    for trial in results.complete:
        by_metric = values.setdefault(trial.allocator, {metric.name: {} for metric in metrics})
        for name, by_seed in by_metric.items():
            by_seed[trial.seed] = _value(trial, name)
    return values


def planned_seeds(results: Results) -> dict[str, set[int]]:
    """The seeds planned for each allocator, whether or not they ended well."""
    seeds: dict[str, set[int]] = {}
    for trial in results.trials:
        seeds.setdefault(trial.allocator, set()).add(trial.seed)
    return seeds


def _value(trial: CompleteTrial, metric: str) -> float:
    if metric.startswith(PROFILE):
        return trial.profile.after[metric.removeprefix(PROFILE)]
    value: float = getattr(trial.metrics, metric)
    return value
