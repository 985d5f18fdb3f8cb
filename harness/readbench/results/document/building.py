"""Builds results.json, all that a run measured, from the records of its trials."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from readbench.api import Pilot, Vector
from readbench.base.documents import typed
from readbench.base.errors import DamagedError, IncompleteRunError
from readbench.base.files import file_hashes, sealed, write_json
from readbench.results.document.model import (
    BeforeAfter,
    CompleteTrial,
    Metrics,
    PilotResult,
    Pilots,
    Profiling,
    Provenance,
    Results,
    SampleQuestion,
    Seconds,
    Start,
    StartTokens,
    SuiteInfo,
    TrialResult,
    TrialTokens,
    UnfinishedTrial,
    UtilityChange,
)
from readbench.teachers.spend.ledger import read_spent
from readbench.trials import metrics
from readbench.trials.briefing import pilot_from
from readbench.trials.record.interval import Interval, IntervalTokens, interval_of, named
from readbench.trials.record.run_files import FINGERPRINT, IDENTIFIED, PILOTS, PROFILING, START, groups, is_complete, read_part, read_run
from readbench.trials.record.trial_file import AGAIN, TrialRecord, find_trial
from readbench.trials.requirement.choosing import used_requirement
from readbench.trials.spec import RunIdentity, settled, trial_id, with_kinds


def rebuild(run_dir: Path) -> Results:
    """Writes ``results.json`` from the trials' records and returns it; DamagedError if anything in the run is damaged or missing."""
    results = gather(run_dir)
    if results.start is None and any(is_complete(run_dir, trial.id) for trial in results.trials):
        raise IncompleteRunError(f"{run_dir / START} is missing", hint=f"readbench resume {run_dir}")
    for trial in results.complete:
        check_student(run_dir / "trials" / trial.id)
    write_json(run_dir / "results.json", sealed(results.document()))
    return results


def gather(run_dir: Path) -> Results:
    """The results in the trials' records, whether the trials are complete or not; writes nothing."""
    run = read_run(run_dir)
    start = read_part(run_dir, START, run)
    surroundings = read_part(run_dir, FINGERPRINT, run)
    if surroundings is None and (run_dir / "trials").exists():
        raise DamagedError(f"{run_dir / FINGERPRINT} is missing", hint="restore it, or begin again with another --out")
    pilots, profiled = (read_part(run_dir, part, run) for part in (PILOTS, PROFILING))
    found = tuple((group.get("objective"), pilot_from(each)) for group in groups(pilots) for each in group["pilots"])
    identity, capabilities = run["identity"], run["suite"]["capabilities"]
    requirement = used_requirement(
        identity.get("requirement", "card"),
        run["suite"]["requirement"],
        pilots=[pilot for _, pilot in found],
        identified=(read_part(run_dir, IDENTIFIED, run) or {}).get("weights"),
        joint=run["suite"].get("joint", False),
    )
    suite = run["suite"] | {"requirement": requirement.tolist()}
    return Results(
        run=run["run"],
        suite=SuiteInfo(
            name=suite["name"],
            version=suite["version"],
            capabilities=tuple(capabilities),
            requirement=named(capabilities, suite["requirement"]),
            card=named(capabilities, run["suite"]["requirement"]),
            margins=suite["margins"],
        ),
        config=typed(RunIdentity, settled(identity) | {"params": with_kinds(identity["params"])}, str(run_dir / "run.json")),
        provenance=Provenance(**run["provenance"]),
        environment=run["environment"]
        | {key: value for key, value in run["config"].items() if key not in identity}
        | {"fingerprint": None, "drift": [], "spend": _spend(run_dir)}
        | {key: value for key, value in (surroundings or {}).items() if key != "of"},
        start=None if start is None else _start(capabilities, start),
        pilots=None if pilots is None else Pilots(pilots=_pilots(capabilities, found), tokens=_tokens(pilots)),
        profiling=None if profiled is None else Profiling(trials=sum(len(g["trials"]) for g in groups(profiled)), tokens=_tokens(profiled)),
        trials=tuple(_trial(run_dir, run | {"suite": suite}, start, entry) for entry in run["trials"]),
    )


def _spend(run_dir: Path) -> dict[str, int] | None:
    """What a paid teacher has been charged so far."""
    spent = read_spent(run_dir)
    return None if spent is None else asdict(spent)


def check_student(folder: Path) -> None:
    """DamagedError naming the first file of the final student that does not match the trial's record."""
    record = find_trial(folder)
    expected = {} if record is None or record.final is None else record.final["student"]
    found = file_hashes(folder / "student")
    for name in sorted(expected):
        if found.get(name) != expected[name]:
            what = "is missing" if name not in found else "is damaged: its content is not what was written"
            raise DamagedError(f"{folder / 'student' / name} {what}", hint=AGAIN)


def _start(capabilities: Sequence[str], start: Mapping[str, Any]) -> Start:
    profile, teacher_answers = start["teacher"]["profile"], start["teacher"]["answers"] or [None] * len(capabilities)
    shown = zip(capabilities, start["student"]["samples"], teacher_answers, start["student"]["answers"], strict=True)
    return Start(
        utility=start["student"]["utility"],
        teacher_profile=None if profile is None else named(capabilities, profile),
        tokens=StartTokens(probe=start["teacher"]["tokens"], eval=start["student"]["tokens"]),
        examples=tuple(
            SampleQuestion(capability=name, **question, teacher=teacher, before=before) for name, question, teacher, before in shown
        ),
    )


def _tokens(part: Mapping[str, Any]) -> IntervalTokens:
    """What all trainings of a part took."""
    kinds = {kind for group in groups(part) for kind in group["tokens"]}
    return IntervalTokens(**{kind: sum(group["tokens"].get(kind, 0) for group in groups(part)) for kind in kinds})


def _pilots(capabilities: Sequence[str], pilots: Sequence[tuple[str | None, Pilot]]) -> tuple[PilotResult, ...]:
    def pair(before: Vector, after: Vector) -> BeforeAfter:
        return BeforeAfter(before=named(capabilities, before.tolist()), after=named(capabilities, after.tolist()))

    return tuple(
        PilotResult(
            objective=objective,
            allocation=named(capabilities, pilot.allocation.tolist()),
            tokens=pilot.tokens,
            profile=pair(pilot.profile_before, pilot.profile_after),
            exact_match=pair(pilot.exact_before, pilot.exact_after),
            soft=pair(pilot.soft_before, pilot.soft_after),
            utility=UtilityChange(
                before=pilot.utility_before,
                after=pilot.utility_after,
                soft_before=pilot.soft_utility_before,
                soft_after=pilot.soft_utility_after,
            ),
        )
        for objective, pilot in pilots
    )


def _trial(run_dir: Path, run: Mapping[str, Any], start: Mapping[str, Any] | None, entry: Mapping[str, Any]) -> TrialResult:
    folder = run_dir / "trials" / entry["id"]
    record = find_trial(folder)
    if record is not None and trial_id(record.spec) != entry["id"]:
        raise DamagedError(f"{folder / 'trial.sqlite'} is of trial {trial_id(record.spec)}, not of {entry['id']}", hint=AGAIN)
    whole: dict[str, Any] = {
        "id": entry["id"],
        "allocator": entry["allocator"],
        "seed": entry["seed"],
        "objective": entry.get("objective", run["config"].get("objective")),  # older runs have one of each
        "budget_tokens": entry.get("budget_tokens", run["config"].get("budget_tokens")),
        "params": {} if record is None else record.spec["params"],
    }
    intervals = () if record is None else tuple(interval_of(run["suite"]["capabilities"], each) for each in record.intervals)
    if record is not None and record.status == "complete" and start is not None:
        return _complete(run["suite"], record, start, intervals, whole)
    return UnfinishedTrial(
        **whole,
        status="failed" if record is not None and record.status == "failed" else "incomplete",
        failure=None if record is None else record.failure,
        dev_utility_before=None if record is None or record.start is None else record.start["dev_utility"],
        intervals=intervals,
    )


def _complete(
    suite: Mapping[str, Any], record: TrialRecord, start: Mapping[str, Any], intervals: tuple[Interval, ...], whole: Mapping[str, Any]
) -> CompleteTrial:
    """The result of a complete trial; `whole` holds the fields that it shares with an unfinished one."""
    if record.start is None or record.final is None or len(intervals) != record.spec["num_intervals"]:
        raise DamagedError(f"trial {trial_id(record.spec)} is complete but lacks its start, its end or an interval", hint=AGAIN)
    first, final, last = record.start, record.final, intervals[-1]
    capabilities = suite["capabilities"]
    charged = np.array([each.tokens.charged for each in intervals], dtype=np.int64)  # (T,)
    allocations = np.array([each["allocation"] for each in record.intervals])  # (T, K)
    return CompleteTrial(
        **whole,
        dev_utility_before=first["dev_utility"],
        intervals=intervals,
        tokens=TrialTokens(
            generated=sum(each.tokens.generated for each in intervals),
            trained=sum(each.tokens.trained for each in intervals),
            scored=sum(each.tokens.scored for each in intervals),
            rollout=sum(each.tokens.rollout for each in intervals),
            probe=first["tokens"]["probe"] + sum(each.tokens.probe for each in intervals),
            dev=first["tokens"]["dev"] + sum(each.tokens.dev for each in intervals),
            eval=final["tokens"]["eval"],
            pilot=first["tokens"].get("pilot", 0),  # older records are of runs without pilots
        ),
        metrics=_metrics(suite, record, start["student"]["utility"], charged),
        profile=BeforeAfter(before=named(capabilities, first["profile"]), after=last.profile),
        exact_match=BeforeAfter(before=named(capabilities, first["exact_match"]), after=last.exact_match),
        allocation=named(capabilities, (charged @ allocations / max(charged.sum(), 1)).tolist()),
        answers=named(capabilities, final["answers"]),
        seconds=_seconds([first["seconds"], *record.seconds, final["seconds"]]),
    )


def _metrics(suite: Mapping[str, Any], record: TrialRecord, utility_before: float, charged: npt.NDArray[np.int64]) -> Metrics:
    """The metrics of a complete trial; `charged` (T,) tokens by interval."""
    assert record.start is not None  # noqa: S101 - the caller has looked
    assert record.final is not None  # noqa: S101
    requirement = np.array(suite["requirement"])
    profiles = np.array([record.start["profile"], *(interval["profile"] for interval in record.intervals)])  # (T + 1, K)
    dev = np.array([record.start["dev_utility"], *(interval["dev_utility"] for interval in record.intervals)], dtype=float)
    utility = record.final["utility"]
    paid = record.start["tokens"].get("pilot", 0)  # for the pilots, while the student stays as it is
    return Metrics(
        utility=utility,
        step_accuracy=record.final.get("step_accuracy", utility),  # older records are of tasks whose items have one step
        utility_before=utility_before,
        utility_gain=utility - utility_before,
        profile_gain=metrics.profile_gain(profiles[0], profiles[-1], requirement),
        spillover=metrics.spillover(profiles, requirement, top_k=suite["top_k"]),
        collateral=metrics.collateral(profiles[0], profiles[-1], requirement),
        waste=metrics.waste(charged, np.diff(profiles, axis=0) @ requirement, np.array([i["epsilon"] for i in record.intervals])),
        auc=metrics.auc(np.insert(charged, 0, paid), np.insert(dev, 0, dev[0]), record.spec["budget_tokens"]),
    )


def _seconds(laps: Sequence[Mapping[str, float]]) -> Seconds:
    return Seconds(**{phase: sum(lap.get(phase, 0.0) for lap in laps) for phase in laps[-1]})  # older laps have fewer phases
