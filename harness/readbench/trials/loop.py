"""The loop: allocate, supervise, distil, probe, learn, until the budget is spent. The same for every allocator and environment.

Everything that differs between two trials of a seed is in `TrialSpec`. A trial is a function of its spec: it reads no clock,
no global random state and nothing that another trial wrote, except the teacher's cached responses, which do not depend on
who asked first.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from readbench.api import Allocator, Explanation
from readbench.base.errors import ConfigError, DamagedError, TrialFailure
from readbench.base.seeds import derive_seed
from readbench.trials.environments.base import Environment, Playable, Step
from readbench.trials.events import Event
from readbench.trials.guarded import GuardedAllocator
from readbench.trials.record.commits import Commits
from readbench.trials.record.interval import interval_of
from readbench.trials.record.shared import SharedStore
from readbench.trials.record.store import TrialState, TrialStore, remove_checkpoints
from readbench.trials.spec import TrialSpec

Store = TrialStore | SharedStore


class Interrupted(Exception):
    """The trial was asked to stop after the interval that it has just committed."""


def play(environment: Playable, allocator: Allocator) -> Iterator[Step]:
    """Plays the remaining intervals, one after another."""
    while environment.interval < environment.problem.num_intervals:
        observation = environment.observe()
        with environment.watch.phase("allocator"):
            allocation = allocator.propose(observation)
            explanation = explain() if (explain := getattr(allocator, "explain", None)) else None
        step = environment.step(allocation)
        with environment.watch.phase("allocator"):
            allocator.update(step.feedback)
        yield step if explanation is None else replace(step, record={**step.record, "explained": _values(explanation)})


def _values(explanation: Explanation) -> dict[str, Any]:
    """As JSON values."""
    values = {field.name: getattr(explanation, field.name) for field in fields(explanation)}
    return {name: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value for name, value in values.items()}


def run_trial(
    spec: TrialSpec,
    folder: Path,
    make_environment: Callable[[TrialSpec], Environment],
    *,
    observe: Callable[[Event], None],
    stopped: Callable[[], bool],
    open_store: Callable[[Path, str, Mapping[str, Any]], AbstractContextManager[Store]] = TrialStore.open,
) -> None:
    """Runs a trial to its end, resuming from its last committed interval if there is one; its record is in `folder`.

    Records a trial that cannot continue as failed; tries a failed one again. Raises `Interrupted` after a commit once
    `stopped()` is true.
    """
    with open_store(folder, spec.id, spec.document()) as store:
        if store.status() == "complete":
            remove_checkpoints(folder)
            return
        if store.status() == "failed":
            store.retry()
        event = Event(
            kind="started",
            trial=spec.id,
            allocator=spec.allocator,
            seed=spec.seed,
            num_intervals=spec.num_intervals,
            budget_tokens=spec.budget_tokens,
        )
        try:
            environment = make_environment(spec)
            allocator = GuardedAllocator(spec.allocator, environment.problem, derive_seed("allocator", spec.seed), **spec.params)
            charged_tokens = _resume(environment, allocator, store)
            observe(replace(event, interval=environment.interval, charged_tokens=charged_tokens))
            _run(environment, allocator, store, event, observe, stopped)
            observe(replace(event, kind="finished", interval=spec.num_intervals))
        except DamagedError:
            raise
        except (TrialFailure, ConfigError) as failure:  # ConfigError: an example that does not fit the student
            store.fail(str(failure))
            observe(replace(event, kind="failed", message=str(failure)))


def _resume(environment: Environment, allocator: Allocator, store: Store) -> int:
    """Restores both to the last committed interval, or begins; returns the tokens charged so far."""
    start, state, records = store.start(), store.state(), store.intervals()
    if start is None:
        store.begin({**environment.begin(), "seconds": environment.watch.lap()})
        return 0
    environment.restore(start, records, state)
    if state is not None:
        allocator.restore(state.allocator)
    charged: int = sum(record["charged"] for record in records)
    return charged


def _run(
    environment: Environment,
    allocator: Allocator,
    store: Store,
    event: Event,
    observe: Callable[[Event], None],
    stopped: Callable[[], bool],
) -> None:
    """Plays the remaining intervals, committing each while the next one or the evaluation runs, and finishes the trial."""
    charged_tokens = event.budget_tokens
    with Commits() as commits:
        for step in play(environment, allocator):
            commits.submit(_commit(environment, allocator, step, store, event, observe))
            charged_tokens = step.charged_tokens
            if stopped():
                raise Interrupted
        evaluating = replace(event, kind="evaluating", interval=event.num_intervals, charged_tokens=charged_tokens)
        commits.follow(lambda: observe(evaluating))
        outcome = environment.finish()
    store.finish({**outcome.record, "seconds": environment.watch.lap()}, outcome.save_student)


def _commit(
    environment: Environment, allocator: Allocator, step: Step, store: Store, event: Event, observe: Callable[[Event], None]
) -> Callable[[], None]:
    """A function that commits the step and reports it; copies now all that changes later."""
    interval, allocator_state, serialise, seconds = step.feedback.interval, allocator.state(), environment.state(), environment.watch.lap()

    done = interval_of(environment.problem.capabilities, step.record)

    def commit() -> None:
        state = TrialState(interval=interval, allocator=allocator_state, **asdict(serialise()))
        store.commit_interval(step.record, seconds, step.examples, state)
        observe(
            replace(
                event,
                kind="interval",
                interval=interval + 1,
                charged_tokens=step.charged_tokens,
                utility_estimate=step.utility_estimate,
                done=done,
            )
        )

    return commit
