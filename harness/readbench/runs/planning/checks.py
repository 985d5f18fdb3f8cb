"""What would fail in a worker, or cost tokens before it fails, is refused before the first trial; what is doubtful is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from readbench.api import Kind, Problem, Rollouts, Teacher
from readbench.base.errors import ConfigError
from readbench.base.plugins import foreign, make, make_allocator
from readbench.models.counting import open_counter
from readbench.models.ranks import placed
from readbench.runs.config import Resolved, RunConfig
from readbench.runs.planning.estimate import check_readable, check_rollouts
from readbench.runs.studies.pilots import profiled
from readbench.students.needs import asked_by, num_readers, reads_teacher, top_of
from readbench.suites.suite import Suite
from readbench.teachers.spend.forecast import Asked, OwnAnswers
from readbench.trials.requirement.known import check_identifier
from readbench.trials.spec import TrialSpec


def check_objective(
    name: str, config: RunConfig, suite: Suite, teachers: Sequence[Path | Teacher], student: Path, *, piloted: bool
) -> Asked:
    """What the student is going to write itself, and what the teacher reads; ConfigError if the run cannot serve what the objective needs.

    `teachers`: local models' folders, and teachers of other kinds.
    """
    with foreign("objective", name, ConfigError):
        made = make("objective", name, **params_of(config, "objective", name))
        needs, rollouts = asked_by(name, made)
    own = None
    if rollouts is not None:
        own = OwnAnswers(
            share=(1.0 - rollouts.warmup) * rollouts.share,
            readers=num_readers(needs),
            scored=reads_teacher(needs),
            group_size=rollouts.group_size,
            hinted=rollouts.hint > 0,
        )
        tokens = min(config.budgets) // config.num_intervals
        if piloted:
            tokens = min(tokens, config.pilots.tokens)
        check_sampler(name, rollouts, config)
        check_rollouts(suite, student, rollouts, interval_tokens=tokens, max_new_tokens=config.max_new_tokens, readers=own.readers)
    if reads_teacher(needs):
        top = top_of(made)
        temperature = top[1] if top is not None else 1.0 if rollouts is None else rollouts.temperature
        for teacher in teachers:
            check_readable(name, needs, temperature, teacher, student, called=config.teacher)
    return Asked(own=own, reads=reads_teacher(needs, own=False))


def check_sampler(objective: str, rollouts: Rollouts, config: RunConfig) -> None:
    """ConfigError if a server is to write the student's answers, and it is not said which, or it would serve several students at once."""
    if rollouts.sampler == "local":
        return
    if not config.sampler.url:
        raise ConfigError(
            f"objective {objective} has its rollouts from a vLLM server, and none is named",
            hint="--set sampler.url=http://127.0.0.1:8000/v1",
        )
    one_at_a_time = placed()[1] > 1 or config.executor == "inline" or (config.executor == "pool" and config.workers == 1)
    if not one_at_a_time:
        raise ConfigError("a vLLM server writes for one student at a time", hint="give --workers 1, and no --executor ray")


def unused_sampler(config: RunConfig, trials: Sequence[TrialSpec]) -> list[str]:
    """What is to be said of a server that nobody asks."""
    if not config.sampler.url or any(trial.objective_params.get("sampler") == "vllm" for trial in trials):
        return []
    return [f"sampler.url is not used: the student writes its rollouts itself (--set params.objective.{trials[0].objective}.sampler=vllm)"]


def check_one_objective(config: RunConfig, what: str) -> None:
    """ConfigError if the run has several."""
    if len(config.objectives) > 1:
        raise ConfigError(f"{what} of one objective", hint=f"name one of {', '.join(config.objectives)}")


def check_allocators(resolved: Resolved) -> None:
    """Builds every allocator once and discards it: a parameter that it refuses is a config mistake, not a failed trial."""
    config, suite = resolved.config, resolved.suite
    for budget_tokens in config.budgets:
        problem = Problem(
            capabilities=suite.capabilities,
            requirement=suite.requirement,
            teacher_profile=None,
            budget_tokens=budget_tokens,
            num_intervals=config.num_intervals,
        )
        for name in config.allocators:
            with foreign("allocator", name, ConfigError):
                make_allocator(name, problem, 0, **params_of(config, "allocator", name))


def check_pilots(config: RunConfig, *, piloted: bool, example_tokens: float) -> None:
    """ConfigError if pilots or pilot trials could not be made or paid for, or are charged but never made."""
    pilots, smallest = config.pilots, min(config.budgets)
    if config.requirement == "pilots" and len(config.objectives) > 1:
        raise ConfigError(
            "pilots of each objective may infer another requirement, and a run has one",
            hint="run the objectives one by one, or take the card's requirement",
        )
    asking = [name for name in config.allocators if profiled(name)]
    if asking and pilots.trials == 0:
        raise ConfigError(f"{asking[0]} starts from pilot trials, and pilots.trials is 0", hint="set it to 3, or take read-cold")
    if asking and pilots.charged:
        raise ConfigError(
            f"{asking[0]} starts from {pilots.trials} pilot trials of {smallest} tokens, which a trial's budget cannot pay",
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
    if pilots.charged and smallest <= cost:
        raise ConfigError(
            f"the pilots cost {cost} tokens, the budget that is to pay for them is {smallest}",
            hint="give a larger --budget, or set fewer pilots.num, or do not charge them",
        )


def check_requirement(config: RunConfig, suite: Suite) -> str:
    """The fingerprint of the identifier whose answer is the requirement; empty if it is not asked."""
    if config.requirement != "identifier":
        return ""
    if not config.identifier:
        raise ConfigError(
            "the requirement is to be an identifier's, and none is given",
            hint="fit one with readbench requirement fit, then --set identifier=FOLDER",
        )
    return check_identifier(Path(config.identifier), suite.capabilities)


def foreign_prompts(suite: Suite, student: Path) -> tuple[str, ...]:
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


def too_few_pilots(config: RunConfig, suite: Suite, *, piloted: bool) -> tuple[str, ...]:
    """A warning if the pilots are fewer than what they are to tell apart."""
    count = len(suite.capabilities)
    if not piloted or config.pilots.num >= count:
        return ()
    return (f"pilots.num is {config.pilots.num}: so few pilots cannot tell {count} capabilities apart; 24 are enough for eight",)


def params_of(config: RunConfig, kind: Kind, name: str) -> Mapping[str, Any]:
    """The parameters that the run gives a plug-in."""
    return config.params.get(kind, {}).get(name, {})
