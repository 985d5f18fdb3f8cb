"""Simulated trials: allocators against a student fitted to recorded runs, hundreds of seeds in seconds.

A simulation ranks rules and finds what is worth a real run. Its numbers are a model's: they are labelled so, and kept in no results.json.
It is refused where the fitted student does not predict mixes that it was not fitted on.
"""

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from readbench.api import Chain, Vector
from readbench.base import processes
from readbench.base.errors import ConfigError, TrialFailure
from readbench.base.seeds import derive_seed
from readbench.students.schedule import learning_rates
from readbench.suites.suite import Suite
from readbench.trials.briefing import Briefing, briefing_of
from readbench.trials.environments.problem import problem_of
from readbench.trials.environments.simulation.fitted import Course, FittedStudent
from readbench.trials.environments.simulation.fitting import Validity, fit, validate
from readbench.trials.environments.simulation.simulated import Simulated
from readbench.trials.guarded import GuardedAllocator
from readbench.trials.loop import play
from readbench.trials.metrics import collateral, spillover
from readbench.trials.record.run_files import PILOTS, PROFILING, START, group_of, read_part, read_run
from readbench.trials.record.trial_file import TrialRecord, find_trial
from readbench.trials.spec import TrialSpec

LEAST = 0.7  # R² on mixes that were left out, of the utility: below it a student is refused
FEWEST_MIXES, FEWEST_TRIALS = 4, 12
CHUNK = 25  # trials that a process plays at a time
# What a recorded trial and a simulated one must share; a pilot's tokens, a rule and its parameters may differ.
_SAME = (
    "suite",
    "suite_content",
    "student_fingerprint",
    "teacher_fingerprint",
    "objective",
    "objective_params",
    "budget_tokens",
    "training",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTrial:
    """The end of one simulated trial."""

    utility: float
    spillover: float
    collateral: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What simulated trials showed, and how far to believe it."""

    suite: str
    num_recorded: int  # trials that the student was fitted to
    validity: Validity
    trials: Mapping[str, Mapping[int, SimulatedTrial]]  # allocator → seed
    decision_seconds: Mapping[str, float]  # allocator → of a decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The recorded trials that fit a simulation, and what one of their runs told its trials."""

    courses: tuple[Course, ...]
    briefing: Briefing


def runs_of(folder: Path, spec: TrialSpec) -> list[Path]:
    """The run directories of the suite in a folder, the oldest first; ConfigError if there is none."""
    runs = sorted(file.parent for file in folder.glob("*/run.json"))
    found = [run for run in runs if read_run(run)["config"]["suite"] == spec.suite]
    if not found:
        raise ConfigError(f"no run of suite {spec.suite} in {folder}", hint=f"readbench run --suite {spec.suite}, or give --from RUN")
    return found


def recorded(folders: Sequence[Path], spec: TrialSpec, suite: Suite) -> Recording:
    """The complete trials of run directories; ConfigError if one is of another suite or setting, or they are too few."""
    courses: dict[str, Course] = {}  # by the trial's id: one that stands in two runs counts once
    parts: dict[str, Any] = {}
    for folder in folders:
        run = read_run(folder)
        parts |= {name: found for name in (START, PILOTS, PROFILING) if (found := read_part(folder, name, run)) is not None}
        here = [t for t in run["trials"] if (t.get("objective"), t.get("budget_tokens")) == (spec.objective, spec.budget_tokens)]
        for trial in here or run["trials"]:  # if none is like the simulated ones, what differs is named
            record = find_trial(folder / "trials" / trial["id"])
            if record is not None and record.status == "complete" and record.final is not None:
                _check_same(folder, record, spec)
                courses[trial["id"]] = _course(record, spec)
    mixes = [course.mix for course in courses.values()]
    if len(courses) < FEWEST_TRIALS or len(set(mixes)) < FEWEST_MIXES or len(set(mixes)) == len(mixes):
        raise ConfigError(
            f"{len(courses)} trials of {len(set(mixes))} allocators are too few to fit a student to: "
            f"{FEWEST_TRIALS} trials of {FEWEST_MIXES} allocators are needed, and two seeds of one",
            hint=f"readbench run --suite {suite.name} with more allocators or seeds, then --from its directory",
        )
    briefing = briefing_of(
        spec.requirement,
        suite.requirement,
        teacher=parts[START]["teacher"],
        pilots=group_of(parts.get(PILOTS), objective=spec.objective),
        profiling=group_of(parts.get(PROFILING), objective=spec.objective, budget_tokens=spec.budget_tokens),
        identified=None,
        joint=suite.composition is not None,
    )
    return Recording(courses=tuple(courses.values()), briefing=briefing)


def _check_same(folder: Path, record: TrialRecord, spec: TrialSpec) -> None:
    """ConfigError unless the recorded trial has the suite, the models and the training of the simulation."""
    wanted = spec.document()
    for name in _SAME:
        if record.spec[name] != wanted[name]:
            what = "content of the suite" if name == "suite_content" else name.replace("_", " ").removesuffix(" fingerprint")
            shown = (
                f"{what} {record.spec[name]}, not {wanted[name]}" if name in ("suite", "budget_tokens", "objective") else f"another {what}"
            )
            raise ConfigError(f"{folder} was recorded with {shown}", hint="simulate with its settings, or name other runs with --from")


def _course(record: TrialRecord, spec: TrialSpec) -> Course:
    """A complete trial as arrays."""
    assert record.start is not None  # noqa: S101 - it is complete
    assert record.final is not None  # noqa: S101
    intervals, measured = record.intervals, [record.start, *record.intervals]
    shares = np.array([each["allocation"] for each in intervals])
    tokens = (shares * [[each["charged"]] for each in intervals]).sum(axis=0)
    taught = np.array([each["examples"] for each in intervals]).sum(axis=0)
    params = ",".join(f"{name}={value}" for name, value in sorted(record.spec["params"].items()))
    return Course(
        mix=f"{record.spec['allocator']}({params}) by {record.spec['requirement']}",
        learning_rate=learning_rates(spec.training, len(intervals), 1),
        shares=shares,
        scores=np.array([each["profile"] for each in measured]),
        exact=np.array([each["exact_match"] for each in measured]),
        losses=np.array([each["loss"] for each in measured]),
        standard_error=np.array([each["standard_error"] for each in intervals]),
        example_tokens=np.divide(tokens, taught, out=np.full(len(tokens), np.nan), where=taught > 0),
        utility=record.final["utility"],
    )


def chains_of(suite: Suite) -> tuple[Chain, ...]:
    """The kinds of items of a suite's test: of a mixture, single questions by its card."""
    if suite.composition is not None:
        return suite.composition.chains
    return tuple(Chain(steps=(c,), share=float(share)) for c, share in enumerate(suite.requirement) if share > 0)


def simulate(specs: Sequence[TrialSpec], suite: Suite, recording: Recording, *, workers: int) -> Simulation:
    """Plays every trial with the fitted student; ConfigError where it predicts too badly, or a rule asks for what was not recorded."""
    _check_pilots(specs, recording.briefing)
    chains = chains_of(suite)
    with threadpool_limits(1):  # small matrices: more threads are slower, and give other bits
        validity = validate(recording.courses, chains)
        student = fit(recording.courses, chains)
    if validity.utility < LEAST:
        raise ConfigError(
            f"the fitted student explains {validity.utility:.2f} of the utility's variance on mixes that it has not seen, below {LEAST}",
            hint="more runs with different allocators may help; else only real runs can tell",
        )
    parts = [specs[first : first + CHUNK] for first in range(0, len(specs), CHUNK)]
    play = functools.partial(_played, suite=suite, briefing=recording.briefing, student=student)
    with ProcessPoolExecutor(min(workers, len(parts)), mp_context=processes.context("spawn")) as pool:
        played = [each for part in pool.map(play, parts) for each in part]
    trials: dict[str, dict[int, SimulatedTrial]] = {}
    seconds: dict[str, list[float]] = {}
    for spec, (trial, decision) in zip(specs, played, strict=True):
        trials.setdefault(spec.allocator, {})[spec.seed] = trial
        seconds.setdefault(spec.allocator, []).append(decision)
    return Simulation(
        suite=suite.name,
        num_recorded=len(recording.courses),
        validity=validity,
        trials=trials,
        decision_seconds={allocator: float(np.mean(each)) for allocator, each in seconds.items()},
    )


def _check_pilots(specs: Sequence[TrialSpec], briefing: Briefing) -> None:
    for spec in specs:
        if (spec.pilots is not None and not briefing.pilots) or (spec.profiling is not None and not briefing.profiling):
            what = "pilots" if spec.pilots is not None and not briefing.pilots else "pilot trials"
            raise ConfigError(
                f"{spec.allocator} asks for {what}, and the recorded runs made none", hint=f"add a run of {spec.allocator}, or leave it out"
            )
        if spec.requirement == "identifier":
            raise ConfigError("a simulation asks no identifier", hint="take the requirement of the card or of pilots")


def _played(specs: Sequence[TrialSpec], suite: Suite, briefing: Briefing, student: FittedStudent) -> list[tuple[SimulatedTrial, float]]:
    """Simulated trials, and the seconds of a decision in each."""
    with threadpool_limits(1):
        return [_trial(spec, suite, briefing, student) for spec in specs]


def _trial(spec: TrialSpec, suite: Suite, briefing: Briefing, student: FittedStudent) -> tuple[SimulatedTrial, float]:
    """ConfigError if the allocator fails."""
    problem = problem_of(spec, suite, briefing)
    environment = Simulated(problem, student, seed=spec.seed, dev_every=spec.dev_every, show_dev=suite.config.show_dev)
    try:
        allocator = GuardedAllocator(spec.allocator, problem, derive_seed("allocator", spec.seed), **spec.params)
        for _ in play(environment, allocator):
            pass
    except TrialFailure as error:
        raise ConfigError(f"{spec.allocator} seed {spec.seed}: {error}") from error
    profiles: Vector = np.array(environment.profiles)
    trial = SimulatedTrial(
        utility=environment.utility(),
        spillover=spillover(profiles, problem.requirement, problem.reward.top_k),
        collateral=collateral(profiles[0], profiles[-1], problem.requirement),
    )
    return trial, environment.watch.seconds["allocator"] / spec.num_intervals
