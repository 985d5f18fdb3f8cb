"""The grid: every allocator with every seed, in an executor; the run directory holds the results."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from readbench.base.files import remove
from readbench.models.ranks import placed
from readbench.runs.config import Resolved
from readbench.runs.directory import check_fingerprint
from readbench.runs.executors.base import Executor, Observer, WorkerConfig
from readbench.runs.executors.cluster.executor import bring_all, open_cluster, storage_place
from readbench.runs.executors.inline import open_inline
from readbench.runs.executors.pool import open_pool
from readbench.runs.executors.together import open_together
from readbench.runs.plan import Plan, num_workers
from readbench.runs.planning.checks import check_one_objective
from readbench.runs.recorded import RecordedTeacher
from readbench.runs.references import teacher_reference
from readbench.runs.studies.pilots import PilotStudy, begun, records_of
from readbench.teachers.spend.ledger import prepare_ledger
from readbench.trials.briefing import Briefing, briefing_of
from readbench.trials.events import Event
from readbench.trials.record.run_files import (
    IDENTIFIED,
    PILOTS,
    PROFILING,
    SAMPLER,
    START,
    STORED,
    group_of,
    is_complete,
    read_part,
    write_part,
)
from readbench.trials.record.store import remove_checkpoints
from readbench.trials.record.trial_file import TrialRecord
from readbench.trials.spec import TrialSpec, trial_names

Result = TypeVar("Result")
OPENERS: Mapping[str, Callable[[WorkerConfig, int, Observer], AbstractContextManager[Executor]]] = {
    "pool": open_pool,
    "inline": open_inline,
    "ray": open_cluster,
}


def execute(
    run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, *, allow_drift: bool = False, observe: Observer
) -> None:
    """Runs the planned trials that are not done yet; `run` is the ``run.json`` that `opened` yielded.

    A trial that fails is recorded, and the others continue. KeyboardInterrupt if the user stopped it: the run directory can
    then be resumed. With `allow_drift` it runs even if the bits would differ, and marks the run.
    """
    _Grid(run_dir, run, resolved, planned, allow_drift=allow_drift, observe=observe).run()


def make_pilots(run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, *, observe: Observer) -> Mapping[str, Any]:
    """Only the planned pilots, which the run's trials will find: see `PilotStudy.done`."""
    return _Grid(run_dir, run, resolved, planned, allow_drift=False, observe=observe).pilots()


def train_untested(
    run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, specs: tuple[TrialSpec, ...], *, observe: Observer
) -> list[TrialRecord]:
    """The records of these untested trials alone; runs those that are not done."""
    return _Grid(run_dir, run, resolved, replace(planned, pilots=specs), allow_drift=False, observe=observe).untested()


class _Grid:
    """The trials of a run that are not done yet, at work in an executor."""

    def __init__(
        self, run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, *, allow_drift: bool, observe: Observer
    ) -> None:
        self._run_dir = run_dir
        self._run = run
        self._allow_drift = allow_drift
        self._config = resolved.config
        self._planned = planned
        if (stored := read_part(run_dir, STORED, run)) is not None:  # its driver may have been killed before it brought them here
            bring_all(run_dir, stored["place"])
            remove(run_dir / STORED)
        self._todo = [spec for spec in planned.trials if not is_complete(run_dir, spec.id)]
        self._alone = [spec for spec in self._todo if spec.pilots is None and spec.profiling is None]
        for spec in planned.trials:
            if spec not in self._todo:
                remove_checkpoints(run_dir / "trials" / spec.id)
        self._start = read_part(run_dir, START, run)
        self._observe = _Progress(
            observe,
            num_trials=len(planned.trials),
            done_trials=len(planned.trials) - len(self._todo),
            pilots=frozenset(spec.id for spec in (*planned.pilots, *planned.profiling)),
            names=trial_names(planned.trials),
        )

    def run(self) -> None:
        """Runs them all to their end; an error in one worker stops the others after their interval."""
        if not self._todo and self._start is not None:
            self._observe(Event(kind="complete"))
            return
        done = self._planned.budget_tokens - sum(spec.budget_tokens for spec in self._todo)
        self._observe(Event(kind="plan", budget_tokens=self._planned.budget_tokens, charged_tokens=done))
        at_first = self._missing(PILOTS) + self._missing(PROFILING) + len(self._alone)
        self._at_work(max(len(self._todo), at_first), self._drive)

    def pilots(self) -> Mapping[str, Any]:
        """What the pilots found; makes those that are not done."""

        def drive(executor: Executor) -> Mapping[str, Any]:
            (study,) = self._studies(PILOTS, self._check(executor.measure_fingerprints(), executor))
            executor.wait(study.begin(executor))
            return self._ended(PILOTS, [study])[0]

        check_one_objective(self._config, "pilots are")
        return self._at_work(len(self._planned.pilots), drive)

    def untested(self) -> list[TrialRecord]:
        """The records of the planned untested trials."""

        def drive(executor: Executor) -> list[TrialRecord]:
            self._check(executor.measure_fingerprints(), executor)
            executor.wait(begun(executor, self._run, self._planned.pilots))
            return records_of(self._run_dir, self._planned.pilots)

        return self._at_work(len(self._planned.pilots), drive)

    def _at_work(self, num_tasks: int, drive: Callable[[Executor], Result]) -> Result:
        """Drives an executor; if that fails or is interrupted, lets the running intervals be committed first."""
        if self._planned.spend is not None:
            prepare_ledger(self._run_dir)
        workers, cluster, sampler = num_workers(self._config, max(num_tasks, 1)), self._config.cluster, self._config.sampler
        config = WorkerConfig(
            run_dir=self._run_dir,
            device=self._config.device,
            shared=self._planned.trials[0],
            endpoint=self._config.endpoint,
            sampler=replace(sampler, folder=sampler.folder or str((self._run_dir / SAMPLER).absolute())),
            cluster=replace(cluster, storage=storage_place(self._run_dir, self._run, cluster)),
        )
        if self._config.executor == "ray":
            write_part(self._run_dir, STORED, self._run, {"place": config.cluster.storage})
        opener = OPENERS[self._config.executor] if placed()[1] == 1 else open_together
        with opener(config, workers, self._observe) as executor:
            try:
                found = drive(executor)
            except BaseException:
                try:
                    executor.finish_interval()
                except KeyboardInterrupt:
                    executor.kill()
                raise
        remove(self._run_dir / SAMPLER)
        if self._config.executor == "ray":
            bring_all(self._run_dir, config.cluster.storage)
            remove(self._run_dir / STORED)
        return found

    def _drive(self, executor: Executor) -> None:
        """Measures the models unless that is done, then runs the trials; evaluates the start alongside the first ones."""
        fingerprint_future = executor.measure_fingerprints()
        if self._start is None:
            start_future, teacher_future = executor.measure_start(), executor.measure_teacher()
            executor.wait([fingerprint_future, teacher_future])
        fingerprint = self._check(fingerprint_future, executor)
        teacher = teacher_future.result() if self._start is None else self._start["teacher"]
        self._observe(Event(kind="measured"))
        trials = self._begun(executor, teacher, fingerprint)
        if self._start is None:
            executor.wait([start_future])
            measured = {"student": start_future.result(), "teacher": teacher_future.result()}
            write_part(self._run_dir, START, self._run, measured)
        executor.wait(trials)

    def _begun(self, executor: Executor, teacher: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> "list[Future[bool]]":
        """All trials, begun; before those that learn from pilots or pilot trials these are made, with the other trials beside them."""
        identified = self._identified(executor)
        studies = {part: self._studies(part, fingerprint) for part in (PROFILING, PILOTS)}
        making = [future for each in studies.values() for study in each for future in study.begin(executor)]  # the longest first
        without = self._briefings(teacher, identified, {}, {}) if self._alone else {}
        trials = [executor.run(spec, without[spec.objective, spec.budget_tokens]) for spec in self._alone]
        executor.wait(making)
        found = {part: {"groups": self._ended(part, each)} for part, each in reversed(studies.items())}
        briefings = self._briefings(teacher, identified, found[PILOTS], found[PROFILING])
        told = [executor.run(spec, briefings[spec.objective, spec.budget_tokens]) for spec in self._todo if spec not in self._alone]
        return trials + told

    def _check(self, measured: "Future[list[dict[str, Any]]]", executor: Executor) -> Mapping[str, Any]:
        """The fingerprint of where the trials run, noted; ConfigError if the run or its recorded teacher is of another machine's."""
        executor.wait([measured])
        fingerprints = measured.result()
        name, model = teacher_reference(self._config.teacher)  # a recorded one is alone
        for fingerprint in fingerprints:
            check_fingerprint(self._run_dir, self._run, fingerprint, allow_drift=self._allow_drift, warn=self._warn)
            if name == "recorded":
                RecordedTeacher(Path(model)).check_bits(fingerprint, self._warn)
        return fingerprints[0]

    def _studies(self, part: str, fingerprint: Mapping[str, Any]) -> list[PilotStudy]:
        """The planned pilots or pilot trials: a study for each objective and budget, none if the run needs none."""
        together: dict[tuple[str, int], list[TrialSpec]] = {}
        for spec in self._planned.pilots if part == PILOTS else self._planned.profiling:
            together.setdefault((spec.objective, spec.budget_tokens), []).append(spec)
        return [
            PilotStudy(part=part, run_dir=self._run_dir, run=self._run, specs=tuple(alike), fingerprint=fingerprint, warn=self._warn)
            for alike in together.values()
        ]

    def _ended(self, part: str, studies: Sequence[PilotStudy]) -> list[Mapping[str, Any]]:
        """What they found; says that they are done."""
        found = [study.end() for study in studies]
        if studies:
            count = sum(len(study.specs) for study in studies)
            self._observe(Event(kind="measured", message=f"{count} {'pilots' if part == PILOTS else 'pilot trials'} are done"))
        return found

    def _missing(self, part: str) -> int:
        """How many pilots or pilot trials the run has found nothing of yet."""
        specs = self._planned.pilots if part == PILOTS else self._planned.profiling
        known = read_part(self._run_dir, part, self._run)
        return sum(not group_of(known, objective=spec.objective, budget_tokens=spec.budget_tokens) for spec in specs)

    def _identified(self, executor: Executor) -> list[float] | None:
        """What the identifier reads from the card, now or before; None if the requirement is not its."""
        if self._config.requirement != "identifier":
            return None
        found: Mapping[str, Any] | None = read_part(self._run_dir, IDENTIFIED, self._run)
        if found is None:
            future = executor.identify()
            executor.wait([future])
            found = {"weights": future.result()}
            write_part(self._run_dir, IDENTIFIED, self._run, found)
        weights: list[float] = found["weights"]
        return weights

    def _briefings(
        self,
        teacher: Mapping[str, Any],
        identified: list[float] | None,
        pilots: Mapping[str, Any],
        profiling: Mapping[str, Any],
    ) -> dict[tuple[str, int], Briefing]:
        """What the trials of an objective and a budget are told."""
        suite = self._run["suite"]
        return {
            (objective, budget): briefing_of(
                self._config.requirement,
                suite["requirement"],
                teacher=teacher,
                pilots=group_of(pilots, objective=objective),
                profiling=group_of(profiling, objective=objective, budget_tokens=budget),
                identified=identified,
                joint=suite["joint"],
            )
            for objective in self._config.objectives
            for budget in self._config.budgets
        }

    def _warn(self, message: str) -> None:
        self._observe(Event(kind="warning", message=message))


class _Progress:
    """Passes events on with the contestants' names and the number of trials done; of untested trials only how many have ended."""

    def __init__(self, observe: Observer, *, num_trials: int, done_trials: int, pilots: frozenset[str], names: Mapping[str, str]) -> None:
        self._observe = observe
        self._names = names
        self._num_trials = num_trials
        self._done_trials = done_trials
        self._pilots = pilots
        self._done_pilots = 0

    def __call__(self, event: Event) -> None:
        if event.trial in self._pilots:
            if event.kind != "finished":
                return
            self._done_pilots += 1
            event = Event(kind="trained", message=f"training {self._done_pilots} of {len(self._pilots)} done")
        self._done_trials += event.kind in ("finished", "failed")
        name = self._names.get(event.trial, event.allocator)
        self._observe(replace(event, allocator=name, num_trials=self._num_trials, done_trials=self._done_trials))
