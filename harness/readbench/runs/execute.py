"""The grid: every allocator with every seed, and the run directory that holds what came of it.

A run directory belongs to one config. The same config on the same directory resumes where it stopped; a trial that
fails is recorded and the others continue.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from readbench.base.errors import IncompleteRunError
from readbench.results import document as results
from readbench.runs.config import Resolved, restored, teacher_reference
from readbench.runs.directory import check_fingerprint, opened
from readbench.runs.executors.base import WorkerConfig
from readbench.runs.executors.pool import Pool, open_pool
from readbench.runs.plan import Plan, num_workers, plan
from readbench.runs.recorded import RecordedTeacher
from readbench.suites.suite import load_suite
from readbench.teachers.spend.ledger import prepare_ledger
from readbench.trials.events import Event
from readbench.trials.record.store import remove_checkpoints
from readbench.views.trackers import check_installed
from readbench.views.trackers.recorder import RunInfo, TrialInfo
from readbench.views.trackers.tracking import Tracking

Observer = Callable[[Event], None]


def execute(resolved: Resolved, run_dir: Path, *, allow_drift: bool = False, observe: Observer) -> dict[str, Any]:
    """Runs what is not done yet; returns the results document, which is also written to ``results.json``.

    IncompleteRunError after all trials have ended, where some failed; KeyboardInterrupt where the user stopped it: both
    leave a run directory that `resume` takes up. `allow_drift`: also where the bits would differ; the run is then marked.
    """
    planned = plan(resolved)
    check_installed(resolved.config.trackers)
    with (
        opened(run_dir, resolved, trials=planned.trials, provenance=planned.provenance) as run,
        Tracking(resolved.config.trackers, _run_info(run_dir, resolved, planned), observe=observe) as tracking,
    ):
        _Grid(run_dir, run, resolved, planned, allow_drift=allow_drift, observe=tracking.observe).run()
        document = results.rebuild(run_dir)
        tracking.conclude(run_dir / "results.json")
    return _checked(document, run_dir)


def _run_info(run_dir: Path, resolved: Resolved, planned: Plan) -> RunInfo:
    return RunInfo(
        folder=run_dir.absolute(),
        suite=resolved.suite.name,
        config=resolved.identity(),
        trials={s.id: TrialInfo(id=s.id, allocator=s.allocator, seed=s.seed, params=s.params) for s in planned.trials},
    )


def resume(
    run_dir: Path, *, workers: int | None = None, spend_limit: int | str | None = None, allow_drift: bool = False, observe: Observer
) -> dict[str, Any]:
    """Resumes an interrupted run, with the config in its ``run.json``."""
    document = results.read_run(run_dir)
    config = restored(document["config"])
    if workers is not None:
        config = replace(config, workers=workers)
    if spend_limit is not None:
        config = replace(config, endpoint=replace(config.endpoint, spend_limit=spend_limit))
    resolved = Resolved(config=config, origins=document["origins"], suite=load_suite(config.suite))
    return execute(resolved, run_dir, allow_drift=allow_drift, observe=observe)


class _Grid:
    """The trials of a run that are not done yet, at work in a pool of processes."""

    def __init__(
        self, run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, *, allow_drift: bool, observe: Observer
    ) -> None:
        self._run_dir = run_dir
        self._run = run
        self._allow_drift = allow_drift
        self._config = resolved.config
        self._planned = planned
        self._todo = [spec for spec in planned.trials if not results.is_complete(run_dir, spec.id)]
        for spec in planned.trials:
            if spec not in self._todo:
                remove_checkpoints(run_dir / "trials" / spec.id)
        self._start = results.read_part(run_dir, results.START, run)
        self._observe = _Counter(
            observe,
            capabilities=resolved.suite.capabilities,
            num_trials=len(planned.trials),
            done_trials=len(planned.trials) - len(self._todo),
        )

    def run(self) -> None:
        """All of them to their end; what stops one worker stops the others after their interval."""
        if not self._todo and self._start is not None:
            self._observe(Event(kind="complete"))
            return
        self._observe(Event(kind="plan", budget_tokens=self._planned.budget_tokens))
        if self._planned.spend is not None:
            prepare_ledger(self._run_dir)
        workers = num_workers(self._config, max(len(self._todo), 1))
        endpoint = replace(self._config.endpoint, concurrency=max(1, self._config.endpoint.concurrency // workers))
        config = WorkerConfig(run_dir=self._run_dir, device=self._config.device, shared=self._planned.trials[0], endpoint=endpoint)
        with open_pool(config, workers) as pool:
            try:
                self._drive(pool)
            except BrokenProcessPool as error:
                raise IncompleteRunError(
                    "a worker process died",
                    hint=f"if memory was short use fewer --workers; resume with: readbench resume {self._run_dir}",
                ) from error
            except BaseException:
                try:
                    pool.finish_interval(self._observe)
                except KeyboardInterrupt:
                    pool.kill()
                raise

    def _drive(self, pool: Pool) -> None:
        """Measures the models where that is not done yet, then runs the trials; the start is evaluated beside the first ones."""
        fingerprint_future = pool.measure("measure_fingerprint")
        first: list[Future[Any]] = [fingerprint_future]
        if self._start is None:
            start_future, teacher_future = pool.measure("measure_start"), pool.measure("measure_teacher")
            first.append(teacher_future)
        pool.wait(set(first), self._observe)
        check_fingerprint(self._run_dir, self._run, fingerprint_future.result(), allow_drift=self._allow_drift, warn=self._warn)
        name, model = teacher_reference(self._config.teacher)
        if name == "recorded":
            RecordedTeacher(Path(model)).check_bits(fingerprint_future.result(), self._warn)
        profile = (teacher_future.result() if self._start is None else self._start["teacher"])["profile"]
        self._observe(Event(kind="measured"))
        trials: set[Future[Any]] = {pool.run(spec, profile) for spec in self._todo}
        if self._start is None:
            pool.wait({start_future}, self._observe)
            measured = {"student": start_future.result(), "teacher": teacher_future.result()}
            results.write_part(self._run_dir, results.START, self._run, measured)
        pool.wait(trials, self._observe)

    def _warn(self, message: str) -> None:
        self._observe(Event(kind="warning", message=message))


class _Counter:
    """Passes events on with the number of trials done, and with the capabilities' names in what an interval left behind."""

    def __init__(self, observe: Observer, *, capabilities: Sequence[str], num_trials: int, done_trials: int) -> None:
        self._observe = observe
        self._capabilities = capabilities
        self._num_trials = num_trials
        self._done_trials = done_trials

    def __call__(self, event: Event) -> None:
        self._done_trials += event.kind in ("finished", "failed")
        record = None if event.record is None else results.interval_document(self._capabilities, event.record)
        self._observe(replace(event, record=record, num_trials=self._num_trials, done_trials=self._done_trials))


def _checked(document: dict[str, Any], run_dir: Path) -> dict[str, Any]:
    """The document, if all its trials are complete."""
    failed = [trial for trial in document["trials"] if trial["status"] != "complete"]
    if failed:
        first = failed[0]
        reason = f"{first['allocator']}, seed {first['seed']}: {first['failure']}"
        raise IncompleteRunError(
            f"{len(failed)} of {len(document['trials'])} trials are not complete; {reason}",
            hint=f"fix the cause and resume with: readbench resume {run_dir}",
        )
    return document
