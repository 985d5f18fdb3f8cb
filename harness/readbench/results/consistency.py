"""What a results document must hold beyond its JSON schema: every capability has its number, nothing is counted twice.

A results document travels: it is downloaded from a build, merged with others, read years later. Whatever reads one may rely on
what is checked here; a document that is not like this was not written by readbench, and is refused where it is loaded.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from readbench.base.errors import ConfigError
from readbench.suites.metric_names import metrics_of

_BY_CAPABILITY = ("requested", "allocation", "examples", "profile", "exact_match", "train_loss")  # of an interval


def check_consistent(document: Mapping[str, Any], where: str) -> None:
    """ConfigError that names the first place at which a document of the right schema contradicts itself."""
    capabilities = document["suite"]["capabilities"]
    metrics = {metric.name for metric in metrics_of(capabilities)}
    unknown = sorted(document["suite"]["margins"].keys() - metrics)
    if unknown:
        raise ConfigError(f"{where} is damaged: suite.margins has {unknown[0]!r:.80}, which is not a metric of the suite")
    for place, values in _by_capability(document):
        _check_names(values, capabilities, f"{where} is damaged: {place}")
    if all(weight == 0 for weight in document["suite"]["requirement"].values()):
        raise ConfigError(f"{where} is damaged: suite.requirement is zero throughout")
    seen: set[tuple[str | int, ...]] = set()
    for trial in document["trials"]:
        for key in ((trial["allocator"], trial["seed"]), (trial["id"],)):
            if key in seen:
                raise ConfigError(f"{where} is damaged: trial {' '.join(map(str, key))} appears twice")
            seen.add(key)
        _check_trial(trial, f"{where} is damaged: trial {trial['id']}")


def _check_trial(trial: Mapping[str, Any], where: str) -> None:
    intervals = trial["intervals"]
    if intervals is None or [interval["interval"] for interval in intervals] != list(range(len(intervals))):
        raise ConfigError(f"{where} lacks an interval, or has one twice")
    if trial["status"] == "complete" and (not intervals or trial["answers"] is None):
        raise ConfigError(f"{where} is complete but has no {'answers' if intervals else 'interval'}")


def _by_capability(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any] | Collection[str]]]:
    """Every mapping by capability, and where it stands."""
    yield "suite.requirement", document["suite"]["requirement"]
    start = document["start"]
    if start is not None:
        if start["teacher_profile"] is not None:
            yield "start.teacher_profile", start["teacher_profile"]
        if start["examples"]:
            yield "start.examples", [example["capability"] for example in start["examples"]]
    for number, trial in enumerate(document["trials"]):
        place = f"trials[{number}]"
        for key in ("profile", "exact_match"):
            for when, values in (trial[key] or {}).items():
                yield f"{place}.{key}.{when}", values
        for key in ("allocation", "answers"):
            if trial[key] is not None:
                yield f"{place}.{key}", trial[key]
        for count, interval in enumerate(trial["intervals"] or ()):
            yield from ((f"{place}.intervals[{count}].{key}", interval[key]) for key in _BY_CAPABILITY)


def _check_names(values: Mapping[str, Any] | Collection[str], capabilities: Collection[str], where: str) -> None:
    if len(values) != len(capabilities) or set(values) != set(capabilities):
        differing = sorted(set(values) ^ set(capabilities))
        raise ConfigError(f"{where} is not of the suite's capabilities" + (f": {differing[0]!r:.80}" if differing else ""))
