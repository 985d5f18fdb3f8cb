"""The grid: every allocator with every seed, in an executor; the run directory holds the results."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from readbench.runs.config import Resolved
from readbench.runs.directory import check_fingerprint
from readbench.runs.executors.base import Executor, Observer, WorkerConfig
from readbench.runs.executors.inline import open_inline
from readbench.runs.executors.pool import open_pool
from readbench.runs.plan import Plan, num_workers
from readbench.runs.recorded import RecordedTeacher
from readbench.runs.references import teacher_reference
from readbench.teachers.spend.ledger import prepare_ledger
from readbench.trials.events import Event
from readbench.trials.record.run_files import START, is_complete, read_part, write_part
from readbench.trials.record.store import remove_checkpoints

OPENERS: Mapping[str, Callable[[WorkerConfig, int, Observer], AbstractContextManager[Executor]]] = {
    "pool": open_pool,
    "inline": open_inline,
}


def execute(
    run_dir: Path, run: Mapping[str, Any], resolved: Resolved, planned: Plan, *, allow_drift: bool = False, observe: Observer
) -> None:
    """Runs the planned trials that are not done yet; `run` is the ``run.json`` that `opened` yielded.

    A trial that fails is recorded, and the others continue. KeyboardInterrupt if the user stopped it: the run directory can
    then be resumed. With `allow_drift` it runs even if the bits would differ, and marks the run.
    """
    _Grid(run_dir, run, resolved, planned, allow_drift=allow_drift, observe=observe).run()


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
        self._todo = [spec for spec in planned.trials if not is_complete(run_dir, spec.id)]
        for spec in planned.trials:
            if spec not in self._todo:
                remove_checkpoints(run_dir / "trials" / spec.id)
        self._start = read_part(run_dir, START, run)
        self._observe = _Progress(
            observe,
            num_trials=len(planned.trials),
            done_trials=len(planned.trials) - len(self._todo),
        )

    def run(self) -> None:
        """Runs them all to their end; an error in one worker stops the others after their interval."""
        if not self._todo and self._start is not None:
            self._observe(Event(kind="complete"))
            return
        self._observe(Event(kind="plan", budget_tokens=self._planned.budget_tokens))
        if self._planned.spend is not None:
            prepare_ledger(self._run_dir)
        workers = num_workers(self._config, max(len(self._todo), 1))
        endpoint = replace(self._config.endpoint, concurrency=max(1, self._config.endpoint.concurrency // workers))
        config = WorkerConfig(run_dir=self._run_dir, device=self._config.device, shared=self._planned.trials[0], endpoint=endpoint)
        with OPENERS[self._config.executor](config, workers, self._observe) as executor:
            try:
                self._drive(executor)
            except BaseException:
                try:
                    executor.finish_interval()
                except KeyboardInterrupt:
                    executor.kill()
                raise

    def _drive(self, executor: Executor) -> None:
        """Measures the models unless that is done, then runs the trials; evaluates the start alongside the first ones."""
        fingerprint_future = executor.measure_fingerprint()
        first: list[Future[Any]] = [fingerprint_future]
        if self._start is None:
            start_future, teacher_future = executor.measure_start(), executor.measure_teacher()
            first.append(teacher_future)
        executor.wait(first)
        check_fingerprint(self._run_dir, self._run, fingerprint_future.result(), allow_drift=self._allow_drift, warn=self._warn)
        name, model = teacher_reference(self._config.teacher)
        if name == "recorded":
            RecordedTeacher(Path(model)).check_bits(fingerprint_future.result(), self._warn)
        profile = (teacher_future.result() if self._start is None else self._start["teacher"])["profile"]
        self._observe(Event(kind="measured"))
        trials = [executor.run(spec, profile) for spec in self._todo]
        if self._start is None:
            executor.wait([start_future])
            measured = {"student": start_future.result(), "teacher": teacher_future.result()}
            write_part(self._run_dir, START, self._run, measured)
        executor.wait(trials)

    def _warn(self, message: str) -> None:
        self._observe(Event(kind="warning", message=message))


class _Progress:
    """Passes events on with the number of trials done."""

    def __init__(self, observe: Observer, *, num_trials: int, done_trials: int) -> None:
        self._observe = observe
        self._num_trials = num_trials
        self._done_trials = done_trials

    def __call__(self, event: Event) -> None:
        self._done_trials += event.kind in ("finished", "failed")
        self._observe(replace(event, num_trials=self._num_trials, done_trials=self._done_trials))
