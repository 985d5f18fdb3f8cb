"""The loop: allocate, supervise, distil, probe, learn, until the budget is spent. The same for every allocator.

Everything that differs between two trials of a seed stands in `TrialSpec`; everything that they share stands in
`Setting`. A trial is a function of its spec: it reads no clock, no global random state and nothing that another trial
wrote but the teacher's cached responses, which do not depend on who asked first.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from readbench.api import Observation, Vector
from readbench.base.errors import ConfigError, DamagedError, TrialFailure
from readbench.base.plugins import foreign
from readbench.base.seeds import derive_seed
from readbench.suites.evaluation import evaluate
from readbench.trials.environments.distillation import RunningTrial
from readbench.trials.events import Event
from readbench.trials.feedback import frozen, make_feedback, standard_error, to_record
from readbench.trials.record.commits import Commits
from readbench.trials.record.store import TrialStore, remove_checkpoints
from readbench.trials.resources import Setting
from readbench.trials.spec import TrialSpec


class Interrupted(Exception):
    """The trial was asked to stop after the interval that it has just committed."""


def run_trial(
    spec: TrialSpec,
    folder: Path,
    setting: Setting,
    *,
    teacher_profile: Vector | None,
    observe: Callable[[Event], None],
    stopped: Callable[[], bool],
) -> None:
    """Runs a trial to its end, or on from its last committed interval; its record is in `folder`.

    A trial that cannot continue is recorded as failed; a failed one is tried again. Raises `Interrupted` once `stopped()` is
    true, after a commit.
    """
    with TrialStore.open(folder, spec.id, spec.document()) as store:
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
            _run(RunningTrial(spec, setting, store, teacher_profile), lambda **happened: observe(replace(event, **happened)), stopped)
            observe(replace(event, kind="finished", interval=spec.num_intervals))
        except DamagedError:
            raise
        except (TrialFailure, ConfigError) as failure:  # ConfigError: an example that does not fit the student
            store.fail(str(failure))
            observe(replace(event, kind="failed", message=str(failure)))


def _run(trial: RunningTrial, observe: Callable[..., None], stopped: Callable[[], bool]) -> None:
    spec, ledger = trial.spec, trial.ledger
    observe(kind="started", interval=trial.next_interval, charged_tokens=ledger.spent_tokens)
    with Commits() as commits:
        for interval in range(trial.next_interval, spec.num_intervals):
            requested = _propose(trial, interval)
            commit = _interval(trial, interval, requested, observe)
            commits.submit(commit)
            if stopped():
                raise Interrupted
    observe(kind="evaluating", interval=spec.num_intervals, charged_tokens=ledger.spent_tokens)
    _finish(trial)


def _interval(trial: RunningTrial, interval: int, requested: Vector, observe: Callable[..., None]) -> Callable[[], None]:
    """One turn of the loop with the requested allocation (K,); returns what commits it and tells so."""
    spec, suite, ledger = trial.spec, trial.setting.suite, trial.ledger
    share_before = ledger.spent_tokens / spec.budget_tokens
    trial.scheduler.grant(requested, _interval_tokens(spec, interval))
    trial.queue.begin_interval(share_before)
    with trial.watch.phase("teacher"):
        examples = trial.supply.draw(trial.scheduler, ledger, last_interval=interval == spec.num_intervals - 1)

    with trial.watch.phase("train"):
        losses = trial.student.train(
            [example.encoded for example in examples],
            progress=(share_before, ledger.spent_tokens / spec.budget_tokens),
            seed=derive_seed("train", spec.seed, interval),
        )

    before, trial.profile = trial.profile, trial.measure_probes()
    dev = trial.measure_dev()

    learned = make_feedback(interval, examples, losses, before=before, after=trial.profile, suite=suite, budget_tokens=spec.budget_tokens)
    epsilon = standard_error(before, trial.profile, suite.requirement)
    if not np.isfinite([learned.reward, epsilon, dev[0]]).all():
        raise TrialFailure(f"interval {interval}: the reward is not finite")
    with trial.watch.phase("allocator"), foreign("allocator", spec.allocator):
        trial.allocator.update(learned)
    trial.remember(learned)

    record = to_record(learned, requested=requested, examples=examples, after=trial.profile, dev=dev, epsilon=epsilon)
    rows = [(e.slot.capability, e.slot.difficulty, e.slot.index, e.generated_tokens, e.trained_tokens) for e in examples]
    state, charged_tokens, seconds = trial.state(interval), ledger.spent_tokens, trial.watch.lap()

    def commit() -> None:
        trial.store.commit_interval(record, seconds, rows, state())
        observe(kind="interval", interval=interval + 1, charged_tokens=charged_tokens, utility_estimate=dev[0], record=record)

    return commit


def _interval_tokens(spec: TrialSpec, interval: int) -> int:
    """Equal parts of the budget, to the token: the parts of all intervals sum to it."""
    return spec.budget_tokens * (interval + 1) // spec.num_intervals - spec.budget_tokens * interval // spec.num_intervals


def _propose(trial: RunningTrial, interval: int) -> Vector:
    observation = Observation(
        interval=interval,
        profile=frozen(trial.profile.score),
        budget_left=trial.ledger.remaining_tokens / trial.spec.budget_tokens,
        recent=trial.recent,
    )
    with trial.watch.phase("allocator"), foreign("allocator", trial.spec.allocator):
        proposed = np.asarray(trial.allocator.propose(observation), dtype=np.float64)
    if proposed.shape != (len(trial.setting.suite.capabilities),):
        raise TrialFailure(f"allocator {trial.spec.allocator!r} proposed shape {proposed.shape} in interval {interval}, not (K,)")
    if not np.isfinite(proposed).all() or (proposed < 0).any() or abs(proposed.sum() - 1) > 1e-6:
        raise TrialFailure(f"allocator {trial.spec.allocator!r} proposed {proposed.tolist()} in interval {interval}: not on the simplex")
    allocation: Vector = proposed / proposed.sum()
    return allocation


def _finish(trial: RunningTrial) -> None:
    with trial.watch.phase("eval"):
        evaluation = evaluate(trial.student.model, trial.setting.suite.folder, trial.setting.suite.config.test.task)
        if not math.isfinite(evaluation.utility):
            raise TrialFailure("the utility is not finite")
        prompts = [question.prompt for question in trial.setting.samples()]
        answers = trial.student.model.answer(prompts, max_new_tokens=trial.spec.max_new_tokens)
    trial.store.finish(
        {
            "utility": evaluation.utility,
            "questions": evaluation.n,
            "answers": [answer.text for answer in answers],
            "tokens": {"eval": evaluation.tokens + sum(answer.tokens for answer in answers)},
            "seconds": trial.watch.lap(),
        },
        trial.student.model.save_pretrained,
    )
