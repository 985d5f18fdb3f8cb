"""Several runs as one, if only what is compared differs: otherwise a comparison would credit any other difference to it.

What is compared is one axis of the grid, the allocator, the objective or the budget, at one place of the others; or nothing is yet, and the
runs are shown as one. What must agree: the suite, every other setting but the seeds, the hashes of data, models and code, and what the
bits depend on (torch, device, instruction set). An error names whatever differs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from readbench.base import machine
from readbench.base.errors import ConfigError, near_match
from readbench.base.nested import flatten
from readbench.results.document.model import CompleteTrial, Results, TrialResult
from readbench.trials.spec import Place, contestants

Axis = Literal["allocator", "objective", "budget"]  # what is compared
AXES: tuple[Axis, ...] = get_args(Axis)
_MAY_DIFFER = {"allocators", "objectives", "budgets", "seeds", "params"}  # the grid is looked at trial by trial
_BY_CONTENT = {"suite", "teacher", "student"}  # references: their hashes are in the provenance
_ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Several runs as one; its allocator names are labels that tell the contestants apart."""

    results: Results
    mismatches: tuple[str, ...]  # how the runs differ besides what is compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The trials to look at: those of an allocator, an objective or a budget, where one is named."""

    allocator: str = ""
    objective: str = ""
    budget_tokens: int | None = None

    def of(self, results: Results) -> Results:
        """Those trials; ConfigError if there are none."""
        trials = results.trials
        for name, wanted in (("allocator", self.allocator), ("objective", self.objective), ("budget_tokens", self.budget_tokens)):
            if wanted in ("", None):
                continue
            known = [str(each) for each in dict.fromkeys(getattr(trial, name) for trial in trials)]
            trials = tuple(trial for trial in trials if getattr(trial, name) == wanted)
            if not trials:
                what = name.removesuffix("_tokens")
                raise ConfigError(f"{results.run} has no {what} {wanted!r}", hint=near_match(str(wanted), known))
        return replace(results, trials=trials)


EVERY = Selection()


def merge(runs: Sequence[Results], *, by: Axis | None = None, only: Selection = EVERY, allow_mismatch: bool = False) -> Merged:
    """One results object with the trials of all runs, or of a selection.

    A label is the name of the allocator or objective; if one name ran with several parameters, plus those that differ; or the budget,
    ``60,000 tokens``. If nothing is compared, it is the place in the grid: see `contestants`. If runs were merged despite differences,
    plus ``@run``. ConfigError naming what differs, or a trial that has two results.
    """
    runs = [only.of(each) for each in runs]
    first = runs[0]
    if by is not None:
        for each in runs:
            _check_one_place(each, by)
    differing = sorted({line for other in runs[1:] for line in mismatches(first, other, by=by)})
    if differing and not allow_mismatch:
        shown = "; ".join(differing[:4]) + (f"; and {len(differing) - 4} more" if len(differing) > 4 else "")
        raise ConfigError(
            f"the runs differ in more than {'the grid' if by is None else f'the {by}'}: {shown}",
            hint="compare like with like, or give --allow-mismatch",
        )
    if differing and len({each.suite.name for each in runs}) > 1:
        raise ConfigError("runs of different suites have no metric in common", hint="compare runs of one suite")
    names = contestants(_place(trial) for each in runs for trial in each.trials)
    trials = [(trial, _variant(trial, each, by, names, each.run if differing else "")) for each in runs for trial in each.trials]
    if by in ("objective", "budget"):
        _check_one_allocator([trial for trial, _ in trials], by)
    labels = _labels(list(dict.fromkeys(variant for _, variant in trials)))
    merged: dict[tuple[str, int], TrialResult] = {}
    for trial, variant in trials:
        _add(merged, replace(trial, allocator=labels[variant]))
    config = replace(
        first.config,
        allocators=tuple(dict.fromkeys(trial.allocator for trial, _ in trials)),
        objectives=tuple(dict.fromkeys(trial.objective for trial, _ in trials)),
        budgets=tuple(dict.fromkeys(trial.budget_tokens for trial, _ in trials)),
        seeds=tuple(dict.fromkeys(trial.seed for trial, _ in trials)),
    )
    joined = replace(first, run=" + ".join(each.run for each in runs), config=config, trials=tuple(merged.values()))
    return Merged(results=joined, mismatches=tuple(differing))


def _place(trial: TrialResult) -> Place:
    return trial.allocator, trial.objective, trial.budget_tokens


def _values(results: Results, axis: Axis) -> list[str]:
    """Where its trials are on an axis of the grid."""
    name = "budget_tokens" if axis == "budget" else axis
    return [str(each) for each in dict.fromkeys(getattr(trial, name) for trial in results.trials)]


def _check_one_place(results: Results, by: Axis) -> None:
    """ConfigError if the trials differ in objective or budget, and another axis is compared."""
    for axis in ("objective", "budget"):
        found = _values(results, axis)
        if axis != by and len(found) > 1:
            raise ConfigError(
                f"{results.run} has {len(found)} {axis}s: {', '.join(found)}", hint=f"to compare by {by}, name one with --{axis}"
            )


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


def mismatches(first: Results, second: Results, *, by: Axis | None = None) -> list[str]:
    """What differs besides what is compared, one ``key: value against value`` each."""
    ours, theirs = dict(_comparable(first, by)), dict(_comparable(second, by))
    return [
        f"{key}: {ours.get(key, _ABSENT)} against {theirs.get(key, _ABSENT)}"
        for key in sorted({*ours, *theirs})
        if ours.get(key, _ABSENT) != theirs.get(key, _ABSENT)
    ]


def _comparable(results: Results, by: Axis | None) -> Iterator[tuple[str, Any]]:
    for key in ("name", "version", "capabilities", "requirement"):
        yield f"suite.{key}", getattr(results.suite, key)
    for key, value in asdict(results.config).items():
        if key not in _MAY_DIFFER | _BY_CONTENT:
            yield from flatten({key: value})
    for axis in ("objective", "budget") if by is not None else ():
        if axis != by:
            yield axis, ", ".join(_values(results, axis))
    others = results.other_params()
    trained = others.pop("objective", {})
    yield from flatten({"params": others})
    if by in ("allocator", "budget"):
        yield from flatten({"params": {"objective": {name: trained[name] for name in _values(results, "objective") if name in trained}}})
    yield from flatten({"provenance": asdict(results.provenance)})
    measured = results.environment.get("fingerprint") or {}
    yield from ((f"fingerprint.{key}", measured[key]) for key in machine.DETERMINES if key in measured)
    yield "drift", results.environment.get("drift") or []


_Variant = tuple[str, tuple[tuple[str, Any], ...], str]


def _variant(trial: TrialResult, results: Results, by: Axis | None, names: Mapping[Place, str], run: str) -> _Variant:
    """What distinguishes two of those that are compared: a name, parameters, and the run."""
    trained = results.config.params.get("objective", {}).get(trial.objective, {})
    if by == "allocator":
        return trial.allocator, tuple(sorted(trial.params.items())), run
    if by == "objective":
        return trial.objective, tuple(sorted(trained.items())), run
    if by == "budget":
        return f"{trial.budget_tokens:,} tokens", (), run
    of_objective = {f"{trial.objective}.{key}": value for key, value in trained.items()}
    return names[_place(trial)], tuple(sorted({**trial.params, **of_objective}.items())), run


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
