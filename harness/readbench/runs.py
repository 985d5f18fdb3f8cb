"""The grid: every allocator with every seed, and the run directory that holds what came of it.

A run directory belongs to one config. The same config on the same directory goes on where it stopped; a trial that
fails is recorded and the others go on.
"""

import datetime
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from readbench import environment, files, results
from readbench.api import Problem
from readbench.config import Resolved, RunConfig, config_document, restored, teacher_reference
from readbench.errors import ConfigError, IncompleteRunError, ReadbenchError
from readbench.estimate import estimate_seconds, mean_example_tokens
from readbench.models import check_model, fingerprint, resolve_device, resolve_model
from readbench.plugins import make_allocator, registry, resolve_parameters
from readbench.pool import Pool, num_cores, open_pool
from readbench.spec import Event, TrialSpec, WorkerConfig
from readbench.suites import load_suite

Observer = Callable[[Event], None]
START = "start.json"  # what was measured before any trial


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do."""

    trials: tuple[TrialSpec, ...]
    budget_tokens: int  # of all trials
    seconds: float  # about, on this machine


def plan(resolved: Resolved) -> Plan:
    """The run's trials; ConfigError or SurroundingError where one of them could not even start."""
    config = resolved.config
    if config.device not in ("auto", "cpu"):  # auto is resolved by the workers: here it would cost the import of torch
        resolve_device(config.device)
    student_path = _checked_model(config.student)
    teacher_plugin, teacher_model = teacher_reference(config.teacher)
    teacher_fingerprint = fingerprint(_checked_model(teacher_model)) if teacher_plugin == "hf" else config.teacher
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
            teacher_params=resolve_parameters(registry().get("teacher", teacher_plugin), config.params.get(teacher_plugin, {})),
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
    return Plan(trials=trials, budget_tokens=tokens, seconds=estimate_seconds(tokens, student_path, num_workers(config, len(trials))))


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


def execute(resolved: Resolved, run_dir: Path, *, observe: Observer) -> dict[str, Any]:
    """Runs what is not done yet; returns the results document, which is also written to ``results.json``.

    IncompleteRunError after all trials have ended, where some failed; KeyboardInterrupt where the user stopped it: both
    leave a run directory that `resume` takes up.
    """
    planned = plan(resolved)
    existed = run_dir.is_dir()
    fresh = _open_run_dir(run_dir, resolved, planned)
    try:
        _run_trials(run_dir, resolved.config, planned, observe)
    except ReadbenchError:
        if fresh and not (run_dir / "trials").exists():  # nothing was run: leave no half-made run directory behind
            shutil.rmtree(run_dir)
            if existed:
                run_dir.mkdir()
        raise
    return _conclude(run_dir)


def resume(run_dir: Path, *, workers: int | None = None, observe: Observer) -> dict[str, Any]:
    """Goes on with an interrupted run, with the config that stands in its ``run.json``."""
    document = results.read_run(run_dir)
    config = restored(document["config"])
    if workers is not None:
        config = replace(config, workers=workers)
    resolved = Resolved(config=config, origins=document["origins"], suite=load_suite(config.suite))
    return execute(resolved, run_dir, observe=observe)


def _open_run_dir(run_dir: Path, resolved: Resolved, planned: Plan) -> bool:
    """Makes the run directory, or finds that it holds this very config; whether it is new."""
    identity = resolved.identity()
    if (run_dir / "run.json").is_file():
        known = results.read_run(run_dir)["identity"]
        differing = sorted(key for key in {*known, *identity} if known.get(key) != identity.get(key))
        if differing:
            raise ConfigError(f"{run_dir} holds a run with another config (differs in {', '.join(differing)})", hint="choose another --out")
        return False
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        what = "is not empty and no run directory" if run_dir.is_dir() else "is a file"
        raise ConfigError(f"{run_dir} {what}", hint="choose another --out")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {run_dir}: {error.strerror}", hint="choose another --out") from error
    files.write_json(
        run_dir / "run.json",
        {
            "schema": results.RUN_SCHEMA,
            "run": run_dir.name,
            "config": config_document(resolved.config),
            "origins": resolved.origins,
            "identity": identity,
            "suite": {
                "name": resolved.suite.name,
                "version": resolved.suite.config.version,
                "capabilities": list(resolved.suite.capabilities),
                "requirement": resolved.suite.requirement.tolist(),
                "top_k": resolved.suite.config.reward.top_k,
            },
            "trials": [{"id": spec.id, "allocator": spec.allocator, "seed": spec.seed} for spec in planned.trials],
            "environment": environment.describe(),
        },
    )
    return True


def _run_trials(run_dir: Path, config: RunConfig, planned: Plan, observe: Observer) -> None:
    todo = [spec for spec in planned.trials if not results.is_complete(run_dir, spec.id)]
    counted = _Counter(observe, num_trials=len(planned.trials), done_trials=len(planned.trials) - len(todo))
    measured = (run_dir / START).is_file()
    if not todo and measured:
        counted(Event(kind="complete"))
        return
    counted(Event(kind="plan", budget_tokens=planned.budget_tokens))
    workers = WorkerConfig(run_dir=run_dir, device=config.device, shared=planned.trials[0])
    with open_pool(workers, num_workers(config, max(len(todo), 1))) as pool:
        try:
            start = files.read_json(run_dir / START) if measured else None
            _drive(pool, run_dir, todo, start, counted)
        except KeyboardInterrupt:
            try:
                pool.finish_interval()
            except KeyboardInterrupt:
                pool.kill()
            raise
        except BrokenProcessPool as error:
            raise IncompleteRunError(
                "a worker process died", hint=f"if memory was short use fewer --workers; go on with: readbench resume {run_dir}"
            ) from error


def _drive(pool: Pool, run_dir: Path, todo: list[TrialSpec], start: dict[str, Any] | None, observe: Observer) -> None:
    """Measures the models where that is not done yet, then runs the trials; the start is evaluated beside the first ones."""
    fingerprint_future = pool.measure("measure_fingerprint")
    if start is None:
        start_future, teacher_future = pool.measure("measure_start"), pool.measure("measure_teacher")
        pool.wait({fingerprint_future, teacher_future}, observe)
        profile = teacher_future.result()["profile"]
    else:
        pool.wait({fingerprint_future}, observe)
        _same_surroundings(start["fingerprint"], fingerprint_future.result())
        profile = start["teacher"]["profile"]
    observe(Event(kind="measured"))
    trials: set[Future[Any]] = {pool.run(spec, profile) for spec in todo}
    if start is None:
        pool.wait({start_future}, observe)
        measured = {"fingerprint": fingerprint_future.result(), "student": start_future.result(), "teacher": teacher_future.result()}
        files.write_json(run_dir / START, measured)
    pool.wait(trials, observe)


def _same_surroundings(then: dict[str, Any], now: dict[str, Any]) -> None:
    differing = [f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
    if differing:
        raise ConfigError(f"the run was begun under {'; '.join(differing)}", hint="its bits would differ: resume it where it was begun")


class _Counter:
    """Passes events on with the number of trials done."""

    def __init__(self, observe: Observer, *, num_trials: int, done_trials: int) -> None:
        self._observe = observe
        self._num_trials = num_trials
        self._done_trials = done_trials

    def __call__(self, event: Event) -> None:
        self._done_trials += event.kind in ("finished", "failed")
        self._observe(replace(event, num_trials=self._num_trials, done_trials=self._done_trials))


def _conclude(run_dir: Path) -> dict[str, Any]:
    document = results.rebuild(run_dir)
    failed = [trial for trial in document["trials"] if trial["status"] != "complete"]
    if failed:
        first = failed[0]
        reason = f"{first['allocator']}, seed {first['seed']}: {first['failure']}"
        raise IncompleteRunError(
            f"{len(failed)} of {len(document['trials'])} trials are not complete; {reason}",
            hint=f"mend the cause and go on with: readbench resume {run_dir}",
        )
    return document
