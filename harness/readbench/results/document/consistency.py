"""Checks of results beyond their types: every capability has its number, nothing is counted twice.

Results travel: they are downloaded from a build, merged with others, read years later. All that reads them may rely on these
checks; readbench did not write results that fail them, and refuses to load such results.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from readbench.base.errors import ConfigError
from readbench.results.document.model import CompleteTrial, Results, TrialResult
from readbench.suites.metric_names import metrics_of

_BY_CAPABILITY = ("requested", "allocation", "examples", "profile", "exact_match", "train_loss")  # of an interval


def check_consistent(results: Results, where: str) -> None:
    """ConfigError naming the first place that contradicts the rest of the results."""
    capabilities = results.suite.capabilities
    if len(set(capabilities)) < len(capabilities):
        raise ConfigError(f"{where} is damaged: suite.capabilities has a name twice")
    for name in ("allocators", "objectives", "budgets", "seeds"):
        values = getattr(results.config, name)
        if len(set(values)) < len(values):
            raise ConfigError(f"{where} is damaged: config.{name} has one twice")
    unknown = sorted(results.suite.margins.keys() - {metric.name for metric in metrics_of(capabilities)})
    if unknown:
        raise ConfigError(f"{where} is damaged: suite.margins has {unknown[0]!r:.80}, which is not a metric of the suite")
    command, fingerprint = results.environment.get("command"), results.environment.get("fingerprint")
    if command is not None and not (isinstance(command, list) and all(isinstance(part, str) for part in command)):
        raise ConfigError(f"{where} is damaged: environment.command is not a list of texts")
    if fingerprint is not None and not isinstance(fingerprint, dict):
        raise ConfigError(f"{where} is damaged: environment.fingerprint is not a mapping")
    for place, names in _by_capability(results):
        _check_names(names, capabilities, f"{where} is damaged: {place}")
    if all(weight == 0 for weight in results.suite.requirement.values()):
        raise ConfigError(f"{where} is damaged: suite.requirement is zero throughout")
    _check_trials(results, where)


def _check_trials(results: Results, where: str) -> None:
    """ConfigError for a trial that stands twice, or elsewhere than in the grid, or has a gap."""
    seen: set[tuple[str | int, ...]] = set()
    for trial in results.trials:
        if trial.objective not in results.config.objectives or trial.budget_tokens not in results.config.budgets:
            raise ConfigError(f"{where} is damaged: trial {trial.id} is of an objective or a budget that config does not have")
        for key in ((trial.allocator, trial.objective, trial.budget_tokens, trial.seed), (trial.id,)):
            if key in seen:
                raise ConfigError(f"{where} is damaged: trial {' '.join(map(str, key))} appears twice")
            seen.add(key)
        if [interval.interval for interval in trial.intervals] != list(range(len(trial.intervals))):
            raise ConfigError(f"{where} is damaged: trial {trial.id} lacks an interval, or has one twice")


def _by_capability(results: Results) -> Iterator[tuple[str, Collection[str]]]:
    """The place and the capabilities of everything keyed by capability."""
    yield "suite.requirement", results.suite.requirement
    if results.suite.card is not None:
        yield "suite.card", results.suite.card
    for number, pilot in enumerate(results.pilots.pilots if results.pilots is not None else ()):
        yield f"pilots.pilots[{number}].allocation", pilot.allocation
        for name, scores in (("profile", pilot.profile), ("exact_match", pilot.exact_match), ("soft", pilot.soft)):
            yield f"pilots.pilots[{number}].{name}.before", scores.before
            yield f"pilots.pilots[{number}].{name}.after", scores.after
    if results.start is not None:
        if results.start.teacher_profile is not None:
            yield "start.teacher_profile", results.start.teacher_profile
        if results.start.examples:
            yield "start.examples", [example.capability for example in results.start.examples]
    for number, trial in enumerate(results.trials):
        yield from ((f"trials[{number}].{place}", names) for place, names in _of_trial(trial))


def _of_trial(trial: TrialResult) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(trial, CompleteTrial):
        for name, scores in (("profile", trial.profile), ("exact_match", trial.exact_match)):
            yield f"{name}.before", scores.before
            yield f"{name}.after", scores.after
        yield "allocation", trial.allocation
        yield "answers", trial.answers
    for interval in trial.intervals:
        yield from ((f"intervals[{interval.interval}].{name}", getattr(interval, name)) for name in _BY_CAPABILITY)


def _check_names(values: Collection[str], capabilities: Collection[str], where: str) -> None:
    if len(values) != len(capabilities) or set(values) != set(capabilities):
        differing = sorted(set(values) ^ set(capabilities))
        raise ConfigError(f"{where} is not of the suite's capabilities" + (f": {differing[0]!r:.80}" if differing else ""))
