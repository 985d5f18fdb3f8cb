"""Several runs as one, if only what is compared differs: otherwise a comparison would credit any other difference to it.

What is compared is the allocator, or at one allocator the objective or the budget. What must agree: the suite, every other setting but
the seeds, the hashes of data, models and code, and what the bits depend on (torch, device, instruction set). An error names whatever
differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from readbench.base import machine
from readbench.base.errors import ConfigError, near_match
from readbench.base.nested import flatten
from readbench.results.document.model import CompleteTrial, Results, TrialResult

Axis = Literal["allocator", "objective", "budget"]  # what is compared
AXES: tuple[Axis, ...] = get_args(Axis)
_MAY_DIFFER = {"allocators", "seeds", "params"}
_OF_AXIS: dict[Axis, set[str]] = {"allocator": set(), "objective": {"objective"}, "budget": {"budget_tokens"}}
_BY_CONTENT = {"suite", "teacher", "student"}  # references: their hashes are in the provenance
_ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Several runs as one; its allocator names are labels that tell different ones, or whatever else is compared, apart."""

    results: Results
    mismatches: tuple[str, ...]  # how the runs differ besides what is compared


def merge(runs: Sequence[Results], *, by: Axis = "allocator", allocator: str = "", allow_mismatch: bool = False) -> Merged:
    """One results object with the trials of all runs, or with those of one allocator if it is named.

    A label is the name of the allocator or objective; if one name ran with several parameters, plus those that differ; or the budget,
    ``60,000 tokens``. If runs were merged despite differences, plus ``@run``. ConfigError naming what differs, or a trial that has two
    results.
    """
    runs = [_of_allocator(each, allocator) for each in runs] if allocator else runs
    first = runs[0]
    differing = sorted({line for other in runs[1:] for line in mismatches(first, other, by=by)})
    if differing and not allow_mismatch:
        shown = "; ".join(differing[:4]) + (f"; and {len(differing) - 4} more" if len(differing) > 4 else "")
        raise ConfigError(f"the runs differ in more than the {by}: {shown}", hint="compare like with like, or give --allow-mismatch")
    if differing and len({each.suite.name for each in runs}) > 1:
        raise ConfigError("runs of different suites have no metric in common", hint="compare runs of one suite")
    trials = [(trial, _variant(trial, each, by, each.run if differing else "")) for each in runs for trial in each.trials]
    if by != "allocator":
        _check_one_allocator([trial for trial, _ in trials], by)
    labels = _labels(list(dict.fromkeys(variant for _, variant in trials)))
    merged: dict[tuple[str, int], TrialResult] = {}
    for trial, variant in trials:
        _add(merged, replace(trial, allocator=labels[variant]))
    joined = replace(first, run=" + ".join(each.run for each in runs), trials=tuple(merged.values()))
    return Merged(results=joined, mismatches=tuple(differing))


def _of_allocator(results: Results, name: str) -> Results:
    """The trials of one allocator; ConfigError if there are none."""
    trials = tuple(trial for trial in results.trials if trial.allocator == name)
    if not trials:
        known = {trial.allocator for trial in results.trials}
        raise ConfigError(f"{results.run} has no allocator {name!r}", hint=near_match(name, known))
    return replace(results, trials=trials)


def _check_one_allocator(trials: Sequence[TrialResult], by: Axis) -> None:
    """ConfigError unless all trials are of one allocator with the same parameters."""
    variants = list(dict.fromkeys((trial.allocator, tuple(sorted(trial.params.items()))) for trial in trials))
    names = list(dict.fromkeys(name for name, _ in variants))
    if len(names) > 1:
        raise ConfigError(
            f"the runs have {len(names)} allocators: {', '.join(names)}", hint=f"to compare by {by}, name one with --allocator"
        )
    if len(variants) > 1:
        raise ConfigError(f"{names[0]} ran with several parameters", hint=f"to compare by {by}, all else must be the same")


def mismatches(first: Results, second: Results, *, by: Axis = "allocator") -> list[str]:
    """What differs besides what is compared, one ``key: value against value`` each."""
    ours, theirs = dict(_comparable(first, by)), dict(_comparable(second, by))
    return [
        f"{key}: {ours.get(key, _ABSENT)} against {theirs.get(key, _ABSENT)}"
        for key in sorted({*ours, *theirs})
        if ours.get(key, _ABSENT) != theirs.get(key, _ABSENT)
    ]


def _comparable(results: Results, by: Axis) -> Iterator[tuple[str, Any]]:
    for key in ("name", "version", "capabilities", "requirement"):
        yield f"suite.{key}", getattr(results.suite, key)
    for key, value in asdict(results.config).items():
        if key not in _MAY_DIFFER | _BY_CONTENT | _OF_AXIS[by]:
            yield from flatten({key: value})
    yield from flatten({"params": {kind: given for kind, given in results.other_params().items() if kind != by}})
    yield from flatten({"provenance": asdict(results.provenance)})
    measured = results.environment.get("fingerprint") or {}
    yield from ((f"fingerprint.{key}", measured[key]) for key in machine.DETERMINES if key in measured)
    yield "drift", results.environment.get("drift") or []


_Variant = tuple[str, tuple[tuple[str, Any], ...], str]


def _variant(trial: TrialResult, results: Results, by: Axis, run: str) -> _Variant:
    """What distinguishes two of those that are compared: a name, parameters, and the run."""
    if by == "allocator":
        return trial.allocator, tuple(sorted(trial.params.items())), run
    if by == "objective":
        given = results.config.params.get("objective", {}).get(trial.objective, {})
        return trial.objective, tuple(sorted(given.items())), run
    return f"{trial.budget_tokens:,} tokens", (), run


def _labels(variants: Sequence[_Variant]) -> dict[_Variant, str]:
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
