"""Several runs as one, if only the allocator differs: otherwise a comparison would credit any other difference to it.

What must agree: the suite, every setting but the allocators, their parameters and the seeds, the hashes of data, models and
code, and what the bits depend on (torch, device, instruction set). An error names whatever differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from readbench.base import machine
from readbench.base.errors import ConfigError
from readbench.base.nested import flatten
from readbench.results.document.model import CompleteTrial, Results, TrialResult

_MAY_DIFFER = {"allocators", "seeds", "params"}
_BY_CONTENT = {"suite", "teacher", "student"}  # references: their hashes are in the provenance
_ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Several runs as one; its allocator names are labels that tell different ones apart."""

    results: Results
    mismatches: tuple[str, ...]  # how the runs differ besides the allocator


def merge(runs: Sequence[Results], *, allow_mismatch: bool = False) -> Merged:
    """One results object with the trials of all runs.

    A label is the allocator's name; if one name ran with several parameters, plus those that differ; if runs were merged
    despite differences, plus ``@run``. ConfigError naming what differs, or a trial that has two results.
    """
    first = runs[0]
    differing = sorted({line for other in runs[1:] for line in mismatches(first, other)})
    if differing and not allow_mismatch:
        shown = "; ".join(differing[:4]) + (f"; and {len(differing) - 4} more" if len(differing) > 4 else "")
        raise ConfigError(f"the runs differ in more than the allocator: {shown}", hint="compare like with like, or give --allow-mismatch")
    if differing and len({each.suite.name for each in runs}) > 1:
        raise ConfigError("runs of different suites have no metric in common", hint="compare runs of one suite")
    trials = [(trial, each.run if differing else "") for each in runs for trial in each.trials]
    labels = _labels(trials)
    merged: dict[tuple[str, int], TrialResult] = {}
    for trial, run in trials:
        _add(merged, replace(trial, allocator=labels[_variant(trial, run)]))
    joined = replace(first, run=" + ".join(each.run for each in runs), trials=tuple(merged.values()))
    return Merged(results=joined, mismatches=tuple(differing))


def mismatches(first: Results, second: Results) -> list[str]:
    """What differs besides the allocators, one ``key: value against value`` each."""
    ours, theirs = dict(_comparable(first)), dict(_comparable(second))
    return [
        f"{key}: {ours.get(key, _ABSENT)} against {theirs.get(key, _ABSENT)}"
        for key in sorted({*ours, *theirs})
        if ours.get(key, _ABSENT) != theirs.get(key, _ABSENT)
    ]


def _comparable(results: Results) -> Iterator[tuple[str, Any]]:
    for key in ("name", "version", "capabilities", "requirement"):
        yield f"suite.{key}", getattr(results.suite, key)
    for key, value in asdict(results.config).items():
        if key not in _MAY_DIFFER | _BY_CONTENT:
            yield from flatten({key: value})
    yield from flatten({"params": results.other_params()})
    yield from flatten({"provenance": asdict(results.provenance)})
    measured = results.environment.get("fingerprint") or {}
    yield from ((f"fingerprint.{key}", measured[key]) for key in machine.DETERMINES if key in measured)
    yield "drift", results.environment.get("drift") or []


_Variant = tuple[str, tuple[tuple[str, Any], ...], str]


def _variant(trial: TrialResult, run: str) -> _Variant:
    """What distinguishes two allocators."""
    return trial.allocator, tuple(sorted(trial.params.items())), run


def _labels(trials: Sequence[tuple[TrialResult, str]]) -> dict[_Variant, str]:
    variants = list(dict.fromkeys(_variant(trial, run) for trial, run in trials))
    labels = {}
    for variant in variants:
        name, params, run = variant
        others = [dict(other) for other_name, other, _ in variants if other_name == name]
        telling = [f"{key}={value}" for key, value in params if any(other.get(key) != value for other in others)]
        labels[variant] = name + (f" ({', '.join(telling)})" if telling else "") + (f" @{run}" if run else "")
    return labels


def _add(merged: dict[tuple[str, int], TrialResult], trial: TrialResult) -> None:
    """Adds a trial; if two runs hold it, it counts once: the complete one, and two complete ones must agree."""
    key = (trial.allocator, trial.seed)
    known = merged.get(key)
    if not isinstance(known, CompleteTrial):
        merged[key] = trial
    elif isinstance(trial, CompleteTrial) and trial.metrics != known.metrics:
        raise ConfigError(
            f"{key[0]}, seed {key[1]}, has two different results in these runs", hint="the runs were not made by the same program"
        )
