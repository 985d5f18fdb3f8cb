"""What a run will do: its trials, its identity, and its cost."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from readbench.base import machine
from readbench.base.errors import ConfigError
from readbench.base.plugins import registry, resolve_parameters
from readbench.models.folder import check_trainable, fingerprint, resolve_device, uses_gpu
from readbench.runs.config import Resolved, RunConfig
from readbench.runs.executors.pool import num_cores
from readbench.runs.planning.checks import (
    check_allocators,
    check_objective,
    check_pilots,
    check_requirement,
    foreign_prompts,
    params_of,
    too_few_pilots,
    unused_sampler,
)
from readbench.runs.planning.estimate import (
    check_micro_batches,
    estimate_seconds,
    mean_example_tokens,
    questions_hash,
    sample_questions,
)
from readbench.runs.planning.memory import Memory, check_training, forecast_memory
from readbench.runs.planning.teachers import check_teachers, checked_model
from readbench.runs.studies.pilots import pilot_specs, profiled, profiling_specs, uses_pilots
from readbench.teachers.spend.forecast import Asked, Forecast, Training, forecast
from readbench.trials.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do."""

    trials: tuple[TrialSpec, ...]
    pilots: tuple[TrialSpec, ...]  # empty if the run needs none
    profiling: tuple[TrialSpec, ...]  # the pilot trials, likewise
    provenance: dict[str, str]  # hashes of the suite, its questions, the code and the models: with the settings, the run's identity
    asked: Mapping[str, Asked]  # what each objective asks for
    budget_tokens: int  # of all trials
    seconds: float  # about, on this machine
    memory: Memory  # of a trial, on its device
    spend: Forecast | None  # at a paid teacher
    warnings: tuple[str, ...] = ()


def plan(resolved: Resolved, *, piloted: bool = False) -> Plan:
    """The run's trials, and its pilots if it needs them or they are asked for (`piloted`).

    ConfigError or SurroundingError if one of them could not even start.
    """
    config = resolved.config
    if config.device not in ("auto", "cpu"):  # the workers resolve auto: here it would need to import torch
        resolve_device(config.device)
    student_path = checked_model(config.student)
    check_trainable(student_path)
    questions, on_gpu = sample_questions(resolved.suite), uses_gpu(config.device)
    check_training(student_path, config.training, questions, executor=config.executor, on_gpu=on_gpu)
    teachers = check_teachers(config, resolved.suite)
    check_micro_batches(resolved.suite, student_path, micro_tokens=config.training.micro_tokens, max_new_tokens=config.max_new_tokens)
    example_tokens = mean_example_tokens(resolved.suite, student_path)
    least = round(example_tokens * len(resolved.suite.capabilities)) * config.num_intervals
    smallest = min(config.budgets)
    if smallest < least:
        raise ConfigError(
            f"a budget of {smallest} tokens is too small for {config.num_intervals} intervals",
            hint=f"an interval should buy one example of each capability: give --budget {least} or more, or fewer --intervals",
        )
    piloted = piloted or any(uses_pilots(config, name) for name in config.allocators)
    asked = {
        name: check_objective(name, config, resolved.suite, teachers.given, student_path, piloted=piloted) for name in config.objectives
    }
    check_allocators(resolved)
    check_pilots(config, piloted=piloted, example_tokens=example_tokens)
    identifier = check_requirement(config, resolved.suite)
    suite_content, student_fingerprint = resolved.suite.content_hash(), fingerprint(student_path)
    any_trial = TrialSpec(
        suite=config.suite,
        suite_content=suite_content,
        allocator="",
        params={},
        objective="",
        objective_params={},
        seed=0,
        budget_tokens=0,
        num_intervals=config.num_intervals,
        teacher=config.teacher,
        teacher_params=teachers.params,
        teacher_fingerprint=teachers.fingerprint,
        student=config.student,
        student_fingerprint=student_fingerprint,
        max_new_tokens=config.max_new_tokens,
        num_probes=config.num_probes,
        num_dev=config.num_dev,
        dev_every=config.dev_every,
        requirement=config.requirement,
        identifier=config.identifier if identifier else "",
        identifier_fingerprint=identifier,
        training=config.training,
        teacher_chat=config.teacher_chat,
        student_chat=config.student_chat,
        verifier_params=config.params.get("verifier", {}),
    )
    cells = [
        replace(
            any_trial,
            objective=name,
            objective_params=resolve_parameters(registry().get("objective", name), params_of(config, "objective", name)),
            budget_tokens=budget_tokens,
        )
        for name in config.objectives
        for budget_tokens in config.budgets
    ]
    competing = [_competing(cell, config, name) for cell in cells for name in config.allocators]
    # all seeds of one allocator, then the next: workers running at once then ask the teacher different prompts
    trials = part_of(tuple(replace(each, seed=seed) for each in competing for seed in config.seeds), config.only_trial)
    each_objective = cells[:: len(config.budgets)]
    pilots = tuple(spec for cell in each_objective for spec in pilot_specs(cell, config.pilots)) if piloted else ()
    warm = any(profiled(name) for name in config.allocators)
    profiling = tuple(spec for cell in cells for spec in profiling_specs(cell, config.pilots)) if warm else ()
    tokens = sum(spec.budget_tokens for spec in trials)
    before = sum(spec.budget_tokens for spec in (*pilots, *profiling))
    return Plan(
        trials=trials,
        pilots=pilots,
        profiling=profiling,
        provenance={
            "suite": suite_content,
            "data": questions_hash(resolved.suite),
            "code": machine.code_hash(),
            "teacher": teachers.fingerprint,
            "student": student_fingerprint,
        },
        asked=asked,
        budget_tokens=tokens,
        seconds=estimate_seconds(tokens + before, student_path, num_workers(config, len(trials))),
        memory=forecast_memory(
            student_path,
            config.training,
            questions=questions,
            max_new_tokens=config.max_new_tokens,
            on_gpu=on_gpu,
            teachers=[given for given in teachers.given if isinstance(given, Path)],
        ),
        spend=forecast(
            questions,
            teacher=teachers.paid,
            settings=config.endpoint,
            student_path=student_path,
            max_new_tokens=config.max_new_tokens,
            num_seeds=len(config.seeds),
            trials=[Training(tokens=s.budget_tokens, asked=asked[s.objective]) for s in trials if s.seed == config.seeds[0]],
            pilots=[Training(tokens=spec.budget_tokens, asked=asked[spec.objective]) for spec in (*pilots, *profiling)],
        )
        if teachers.paid is not None
        else None,
        warnings=(
            *foreign_prompts(resolved.suite, student_path),
            *too_few_pilots(config, resolved.suite, piloted=piloted),
            *unused_sampler(config, cells),
        ),
    )


def part_of(trials: tuple[TrialSpec, ...], part: str) -> tuple[TrialSpec, ...]:
    """Every n-th of the trials, for ``i/n``; all, if there are no parts. ConfigError where there is no such part, or nothing in it."""
    if not part:
        return trials
    number, _, count = part.partition("/")
    if not 1 <= int(number) <= int(count):
        raise ConfigError(f"only_trial is {part}", hint="give i/n with i from 1 to n")
    found = trials[int(number) - 1 :: int(count)]
    if not found:
        raise ConfigError(f"part {part} of {len(trials)} trials is empty", hint=f"cut the grid into {len(trials)} parts or fewer")
    return found


def _competing(cell: TrialSpec, config: RunConfig, allocator: str) -> TrialSpec:
    """The allocator's trial there, with any seed."""
    return replace(
        cell,
        allocator=allocator,
        params=resolve_parameters(registry().get("allocator", allocator), params_of(config, "allocator", allocator)),
        pilots=config.pilots if uses_pilots(config, allocator) else None,
        profiling=config.pilots if profiled(allocator) else None,
    )


def num_workers(config: RunConfig, num_trials: int) -> int:
    """Processes that the run uses."""
    return min(config.workers or num_cores(), num_trials)


def default_run_dir(resolved: Resolved) -> Path:
    """``runs/<utc>-<suite>-<short hash>``."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{now}-{resolved.suite.name}-{resolved.hash()[:8]}"
