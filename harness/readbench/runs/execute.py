"""The grid: every allocator with every seed, and the run directory that holds what came of it.

A run directory belongs to one config. The same config on the same directory goes on where it stopped; a trial that
fails is recorded and the others go on.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from readbench.api import Problem, Teacher
from readbench.base import machine
from readbench.base.errors import ConfigError, IncompleteRunError, ReadbenchError
from readbench.base.plugins import make, make_allocator, registry, resolve_parameters
from readbench.models.folder import check_model, fingerprint, resolve_device, resolve_model
from readbench.results import document as results
from readbench.runs.config import Resolved, RunConfig, restored, teacher_reference
from readbench.runs.directory import check_fingerprint, opened
from readbench.runs.estimate import estimate_seconds, mean_example_tokens, questions_hash, sample_questions
from readbench.runs.executors.base import WorkerConfig
from readbench.runs.executors.pool import Pool, num_cores, open_pool
from readbench.suites.suite import load_suite
from readbench.teachers.spend.account import PaidTeacher
from readbench.teachers.spend.forecast import Forecast, forecast
from readbench.teachers.spend.ledger import prepare_ledger
from readbench.trials.events import Event
from readbench.trials.record.store import remove_checkpoints
from readbench.trials.spec import TrialSpec
from readbench.views.trackers import check_installed
from readbench.views.trackers.recorder import RunInfo, TrialInfo
from readbench.views.trackers.tracking import Tracking

Observer = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do."""

    trials: tuple[TrialSpec, ...]
    provenance: dict[str, str]  # hashes of the suite, its questions, the code and the models: with the settings, the run's identity
    budget_tokens: int  # of all trials
    seconds: float  # about, on this machine
    spend: Forecast | None  # at a paid teacher


def plan(resolved: Resolved) -> Plan:
    """The run's trials; ConfigError or SurroundingError where one of them could not even start."""
    config = resolved.config
    if config.device not in ("auto", "cpu"):  # auto is resolved by the workers: here it would cost the import of torch
        resolve_device(config.device)
    student_path = _checked_model(config.student)
    teacher_plugin, teacher_model = teacher_reference(config.teacher)
    teacher_params = resolve_parameters(registry().get("teacher", teacher_plugin), config.params.get(teacher_plugin, {}))
    teacher: Teacher | None = None  # a local model's is not made here: it would cost the import of torch
    if teacher_plugin == "hf":
        teacher_fingerprint = fingerprint(_checked_model(teacher_model))
    else:
        teacher = make("teacher", teacher_plugin, teacher_model, "cpu", **teacher_params)
        teacher_fingerprint = teacher.fingerprint()
    example_tokens = mean_example_tokens(resolved.suite, student_path)
    least = round(example_tokens * len(resolved.suite.capabilities)) * config.num_intervals
    if config.budget_tokens < least:
        raise ConfigError(
            f"a budget of {config.budget_tokens} tokens is too small for {config.num_intervals} intervals",
            hint=f"an interval should buy one example of each capability: give --budget {least} or more, or fewer --intervals",
        )
    _build_allocators(resolved)
    objective = registry().get("objective", config.objective)
    trials = tuple(
        TrialSpec(
            suite=config.suite,
            suite_content=resolved.suite.content_hash(),
            allocator=name,
            params=resolve_parameters(registry().get("allocator", name), config.params.get(name, {})),
            objective=config.objective,
            objective_params=resolve_parameters(objective, config.params.get(config.objective, {})),
            seed=seed,
            budget_tokens=config.budget_tokens,
            num_intervals=config.num_intervals,
            teacher=config.teacher,
            teacher_params=teacher_params,
            teacher_fingerprint=teacher_fingerprint,
            student=config.student,
            student_fingerprint=fingerprint(student_path),
            max_new_tokens=config.max_new_tokens,
            num_probes=config.num_probes,
            num_dev=config.num_dev,
            training=config.training,
        )
        # seed by seed inside an allocator: workers that run side by side then ask the teacher for different prompts
        for name in config.allocators
        for seed in config.seeds
    )
    tokens = len(trials) * config.budget_tokens
    return Plan(
        trials=trials,
        provenance={
            "suite": resolved.suite.content_hash(),
            "data": questions_hash(resolved.suite),
            "code": machine.code_hash(),
            "teacher": teacher_fingerprint,
            "student": fingerprint(student_path),
        },
        budget_tokens=tokens,
        seconds=estimate_seconds(tokens, student_path, num_workers(config, len(trials))),
        spend=forecast(
            sample_questions(resolved.suite),
            teacher=teacher,
            settings=config.endpoint,
            student_path=student_path,
            num_seeds=len(config.seeds),
            num_allocators=len(config.allocators),
            budget_tokens=config.budget_tokens,
            max_new_tokens=config.max_new_tokens,
        )
        if isinstance(teacher, PaidTeacher)
        else None,
    )


def _build_allocators(resolved: Resolved) -> None:
    """Every allocator once, thrown away: a parameter that it refuses is a mistake in the config, not a failed trial."""
    config, suite = resolved.config, resolved.suite
    problem = Problem(
        capabilities=suite.capabilities,
        requirement=suite.requirement,
        teacher_profile=None,
        budget_tokens=config.budget_tokens,
        num_intervals=config.num_intervals,
    )
    for name in config.allocators:
        try:
            make_allocator(name, problem, 0, **config.params.get(name, {}))
        except ReadbenchError:
            raise
        except Exception as error:  # a plug-in's own code
            raise ConfigError(
                f"allocator {name!r} cannot be made: {' '.join(str(error).split())}", hint="see `readbench list allocators`"
            ) from error


def _checked_model(reference: str) -> Path:
    path = resolve_model(reference)
    check_model(path)
    return path


def num_workers(config: RunConfig, num_trials: int) -> int:
    """Processes that the run uses."""
    return min(config.workers or num_cores(), num_trials)


def default_run_dir(resolved: Resolved) -> Path:
    """``runs/<utc>-<suite>-<short hash>``."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{now}-{resolved.suite.name}-{resolved.hash()[:8]}"


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
    """Goes on with an interrupted run, with the config that stands in its ``run.json``."""
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
                    hint=f"if memory was short use fewer --workers; go on with: readbench resume {self._run_dir}",
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
            hint=f"mend the cause and go on with: readbench resume {run_dir}",
        )
    return document
