"""What a run will do: its trials, its identity, and its cost."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from readbench.api import Kind, Problem, Teacher, Value
from readbench.base import machine
from readbench.base.errors import ConfigError
from readbench.base.plugins import foreign, make, make_allocator, registry, resolve_parameters
from readbench.models.counting import open_counter
from readbench.models.folder import check_model, check_trainable, fingerprint, resolve_device, resolve_model
from readbench.runs.config import Resolved, RunConfig
from readbench.runs.estimate import (
    check_readable,
    check_rollouts,
    check_room,
    estimate_seconds,
    mean_example_tokens,
    questions_hash,
    sample_questions,
)
from readbench.runs.executors.pool import num_cores
from readbench.runs.references import teacher_reference
from readbench.runs.studies.pilots import pilot_specs, profiled, profiling_specs, uses_pilots
from readbench.students.needs import asked_by, num_readers, reads_teacher
from readbench.suites.suite import Suite
from readbench.teachers.chat import set_chat
from readbench.teachers.spend.account import PaidTeacher
from readbench.teachers.spend.forecast import Forecast, OwnAnswers, forecast
from readbench.trials.requirement.known import check_identifier
from readbench.trials.spec import TrialSpec

# Parameters added after the first trials: while they are empty, those trials keep their ids.
_YOUNGER = frozenset({("openai", "omit"), ("openai", "fields"), ("openai", "scores")})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do."""

    trials: tuple[TrialSpec, ...]
    pilots: tuple[TrialSpec, ...]  # empty if the run needs none
    profiling: tuple[TrialSpec, ...]  # the pilot trials, likewise
    provenance: dict[str, str]  # hashes of the suite, its questions, the code and the models: with the settings, the run's identity
    budget_tokens: int  # of all trials
    seconds: float  # about, on this machine
    spend: Forecast | None  # at a paid teacher
    warnings: tuple[str, ...] = ()


def plan(resolved: Resolved, *, piloted: bool = False) -> Plan:
    """The run's trials, and its pilots if it needs them or they are asked for (`piloted`).

    ConfigError or SurroundingError if one of them could not even start.
    """
    config = resolved.config
    if config.device not in ("auto", "cpu"):  # the workers resolve auto: here it would need to import torch
        resolve_device(config.device)
    student_path = _checked_model(config.student)
    check_trainable(student_path)
    teacher_plugin, teacher_model = teacher_reference(config.teacher)
    teacher_params = _teacher_params(teacher_plugin, _params(config, "teacher", teacher_plugin))
    teacher: Teacher | None = None  # None for a local model: making it here would import torch
    if teacher_plugin == "hf":
        teacher_path = _checked_model(teacher_model)
        teacher_fingerprint = fingerprint(teacher_path)
        check_room(resolved.suite, teacher_path, "teacher", max_new_tokens=config.max_new_tokens)
    else:
        with foreign("teacher", teacher_plugin, ConfigError):
            teacher = made = make("teacher", teacher_plugin, teacher_model, "cpu", **teacher_params)
            set_chat(made, teacher_plugin, config.teacher_chat)
            teacher_fingerprint = made.fingerprint()
    example_tokens = mean_example_tokens(resolved.suite, student_path)
    least = round(example_tokens * len(resolved.suite.capabilities)) * config.num_intervals
    if config.budget_tokens < least:
        raise ConfigError(
            f"a budget of {config.budget_tokens} tokens is too small for {config.num_intervals} intervals",
            hint=f"an interval should buy one example of each capability: give --budget {least} or more, or fewer --intervals",
        )
    piloted = piloted or any(uses_pilots(config, name) for name in config.allocators)
    own = _check_objective(config, resolved.suite, teacher_path if teacher is None else teacher, student_path, piloted=piloted)
    _build_allocators(resolved)
    _check_pilots(config, piloted=piloted, example_tokens=example_tokens)
    identifier = _identifier(config, resolved.suite)
    suite_content, student_fingerprint = resolved.suite.content_hash(), fingerprint(student_path)
    any_trial = TrialSpec(
        suite=config.suite,
        suite_content=suite_content,
        allocator="",
        params={},
        objective=config.objective,
        objective_params=resolve_parameters(registry().get("objective", config.objective), _params(config, "objective", config.objective)),
        seed=0,
        budget_tokens=config.budget_tokens,
        num_intervals=config.num_intervals,
        teacher=config.teacher,
        teacher_params=teacher_params,
        teacher_fingerprint=teacher_fingerprint,
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
    of_allocator = {
        name: replace(
            any_trial,
            allocator=name,
            params=resolve_parameters(registry().get("allocator", name), _params(config, "allocator", name)),
            pilots=config.pilots if uses_pilots(config, name) else None,
            profiling=config.pilots if profiled(name) else None,
        )
        for name in config.allocators
    }
    # all seeds of one allocator, then the next: workers running at once then ask the teacher different prompts
    trials = tuple(replace(of_allocator[name], seed=seed) for name in config.allocators for seed in config.seeds)
    pilots = pilot_specs(trials[0], config.pilots) if piloted else ()
    profiling = profiling_specs(trials[0], config.pilots) if any(profiled(name) for name in config.allocators) else ()
    tokens = len(trials) * config.budget_tokens
    before = sum(spec.budget_tokens for spec in (*pilots, *profiling))
    return Plan(
        trials=trials,
        pilots=pilots,
        profiling=profiling,
        provenance={
            "suite": suite_content,
            "data": questions_hash(resolved.suite),
            "code": machine.code_hash(),
            "teacher": teacher_fingerprint,
            "student": student_fingerprint,
        },
        budget_tokens=tokens,
        seconds=estimate_seconds(tokens + before, student_path, num_workers(config, len(trials))),
        spend=forecast(
            sample_questions(resolved.suite),
            teacher=teacher,
            settings=config.endpoint,
            student_path=student_path,
            num_seeds=len(config.seeds),
            num_allocators=len(config.allocators),
            budget_tokens=config.budget_tokens,
            pilot_tokens=before,
            max_new_tokens=config.max_new_tokens,
            own=own,
        )
        if isinstance(teacher, PaidTeacher)
        else None,
        warnings=(*_foreign_prompts(resolved.suite, student_path), *_too_few(config, resolved.suite, piloted=piloted)),
    )


def _identifier(config: RunConfig, suite: Suite) -> str:
    """The fingerprint of the identifier whose answer is the requirement; empty if it is not asked."""
    if config.requirement != "identifier":
        return ""
    if not config.identifier:
        raise ConfigError(
            "the requirement is to be an identifier's, and none is given",
            hint="fit one with readbench requirement fit, then --set identifier=FOLDER",
        )
    return check_identifier(Path(config.identifier), suite.capabilities)


def _foreign_prompts(suite: Suite, student: Path) -> tuple[str, ...]:
    """A warning if a suite of the lab meets a student that does not read bytes."""
    if not any((c.source or "").startswith("lab.") for c in suite.config.capabilities.values()):
        return ()
    text = "who is the largest of them?"
    if open_counter(student).count(text) >= len(text):
        return ()
    return (
        f"suite {suite.name} asks in the lab's shorthand over bytes (a<g top?), which means little to this student: "
        "for a language model take lm-math, lm-reasoning, lm-tools, lm-generalist or logic, or write one (docs/suites.md)",
    )


def _too_few(config: RunConfig, suite: Suite, *, piloted: bool) -> tuple[str, ...]:
    """A warning if the pilots are fewer than what they are to tell apart."""
    count = len(suite.capabilities)
    if not piloted or config.pilots.num >= count:
        return ()
    return (f"pilots.num is {config.pilots.num}: so few pilots cannot tell {count} capabilities apart; 24 are enough for eight",)


def _check_pilots(config: RunConfig, *, piloted: bool, example_tokens: float) -> None:
    """ConfigError if pilots or pilot trials could not be made or paid for, or are charged but never made."""
    pilots = config.pilots
    asking = [name for name in config.allocators if profiled(name)]
    if asking and pilots.trials == 0:
        raise ConfigError(f"{asking[0]} starts from pilot trials, and pilots.trials is 0", hint="set it to 3, or take read-cold")
    if asking and pilots.charged:
        raise ConfigError(
            f"{asking[0]} starts from {pilots.trials} pilot trials of {config.budget_tokens} tokens, which a trial's budget cannot pay",
            hint="do not charge pilots, or take read-cold",
        )
    if not piloted:
        if pilots.charged:
            raise ConfigError("pilots.charged is set, but nothing asks for pilots", hint="drop it, or give --requirement pilots")
        return
    least = round(4 * example_tokens)  # one example of each capability of its mix
    if pilots.tokens < least:
        raise ConfigError(f"pilots of {pilots.tokens} tokens are too small", hint=f"set pilots.tokens to {least} or more")
    cost = pilots.num * pilots.tokens
    if pilots.charged and config.budget_tokens <= cost:
        raise ConfigError(
            f"the pilots cost {cost} tokens, the budget that is to pay for them is {config.budget_tokens}",
            hint="give a larger --budget, or set fewer pilots.num, or do not charge them",
        )


def _teacher_params(plugin: str, given: Mapping[str, Value]) -> dict[str, Value]:
    """The teacher's parameters in a trial's identity: the younger ones only if they are set."""
    params = resolve_parameters(registry().get("teacher", plugin), given)
    return {name: value for name, value in params.items() if value or (plugin, name) not in _YOUNGER}


def _check_objective(config: RunConfig, suite: Suite, teacher: Path | Teacher, student: Path, *, piloted: bool) -> OwnAnswers | None:
    """What the student is going to write itself; ConfigError if the run cannot serve what the objective needs.

    `teacher`: a local model's folder, or a teacher of another kind.
    """
    name = config.objective
    with foreign("objective", name, ConfigError):
        needs, rollouts = asked_by(name, make("objective", name, **_params(config, "objective", name)))
    own = None
    if rollouts is not None:
        own = OwnAnswers(share=(1.0 - rollouts.warmup) * rollouts.share, readers=num_readers(needs), scored=reads_teacher(needs))
        tokens = config.budget_tokens // config.num_intervals
        if piloted:
            tokens = min(tokens, config.pilots.tokens)
        check_rollouts(suite, student, rollouts, interval_tokens=tokens, max_new_tokens=config.max_new_tokens, readers=own.readers)
    if reads_teacher(needs):
        check_readable(name, needs, rollouts, teacher, student, called=config.teacher)
    return own


def _build_allocators(resolved: Resolved) -> None:
    """Builds every allocator once and discards it: a parameter that it refuses is a config mistake, not a failed trial."""
    config, suite = resolved.config, resolved.suite
    problem = Problem(
        capabilities=suite.capabilities,
        requirement=suite.requirement,
        teacher_profile=None,
        budget_tokens=config.budget_tokens,
        num_intervals=config.num_intervals,
    )
    for name in config.allocators:
        with foreign("allocator", name, ConfigError):
            make_allocator(name, problem, 0, **_params(config, "allocator", name))


def _params(config: RunConfig, kind: Kind, name: str) -> Mapping[str, Any]:
    """The parameters that the run gives a plug-in."""
    return config.params.get(kind, {}).get(name, {})


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
