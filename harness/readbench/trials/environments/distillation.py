"""Distillation: an allocation buys examples, the student is trained on them once, the probes measure what it can do now."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import safetensors.torch

from readbench._core import Ledger, Scheduler
from readbench.api import Feedback, Observation, Vector
from readbench.base.errors import TrialFailure
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.probes import DevScore, Profile
from readbench.suites.prompts import PromptQueue
from readbench.trials.briefing import Briefing
from readbench.trials.environments.base import RECENT, EnvironmentState, Outcome, Step
from readbench.trials.environments.problem import interval_tokens, problem_of
from readbench.trials.environments.resources import Setting
from readbench.trials.environments.stopwatch import Stopwatch
from readbench.trials.environments.teaching import Teaching
from readbench.trials.feedback import example_rows, from_record, frozen, make_feedback, standard_error, to_record
from readbench.trials.spec import TrialSpec


class Distillation:
    """A real student and its teacher, accounts and questions; see `readbench.trials.environments.base.Environment`."""

    def __init__(self, spec: TrialSpec, setting: Setting, briefing: Briefing) -> None:
        self.watch = Stopwatch()
        self.interval = 0
        self._spec = spec
        self._setting = setting
        num_capabilities = len(setting.suite.capabilities)
        self.problem = problem_of(spec, setting.suite, briefing)
        self._budget = self.problem.budget_tokens
        self._pilot_tokens = spec.budget_tokens - self._budget  # that it pays for pilots
        self._horizon = spec.horizon * self._budget  # tokens over which curriculum and learning rate run
        self._ledger = Ledger(self._budget, num_capabilities)
        self._scheduler = Scheduler(num_capabilities)
        self._queue = PromptQueue(setting.streams(spec.seed), num_capabilities)
        self._teaching = Teaching(spec, setting, self._queue, self.watch)
        self._student = self._teaching.student
        self._recent: tuple[Feedback, ...] = ()  # oldest first, at most RECENT
        self._profile: Profile
        self._dev_utility: float | None  # of the dev questions, if they were measured after the last interval

    def begin(self) -> dict[str, Any]:
        """Measures the untrained student on the probes and on the dev questions, unless a trial of this process has done so."""
        if self._setting.untrained is None:
            self._setting.untrained = self._measure_probes(), self._measure_dev()
        self._profile, dev = self._setting.untrained
        self._dev_utility = dev.utility
        return {
            **self._profile.record(),
            "probe_scores": [scores.tolist() for scores in self._profile.scores],
            **dev.record(),
            "tokens": {"probe": self._profile.tokens, "dev": dev.tokens, "pilot": self._pilot_tokens},
        }

    def restore(self, start: Mapping[str, Any], records: Sequence[Mapping[str, Any]], state: EnvironmentState | None) -> None:
        """Returns to the state after the last record; without a state, to that after `begin`."""
        if state is None:
            self._profile = Profile.restored(start, start["probe_scores"])
            self._dev_utility = start["dev_utility"]
            return
        self.interval = len(records)
        self._scheduler = Scheduler.from_bytes(state.scheduler)
        self._ledger = Ledger.from_bytes(state.ledger)
        self._queue.restore(state.prompts)
        self._student.restore(safetensors.torch.load(state.checkpoint) if state.checkpoint else {})
        self._recent = tuple(from_record(record) for record in records[-RECENT:])
        self._profile = Profile.restored(records[-1], state.probe_scores)
        self._dev_utility = records[-1]["dev_utility"]

    def observe(self) -> Observation:
        """The profile, the remaining share of the budget, and the last intervals' feedback."""
        return Observation(
            interval=self.interval,
            profile=frozen(self._profile.score),
            budget_left=self._ledger.remaining_tokens / self._budget,
            recent=self._recent,
            exact=frozen(self._profile.exact_match),
            dev_utility=self._dev_utility if self._setting.suite.config.show_dev else None,
        )

    def step(self, allocation: Vector) -> Step:
        """One turn: buys examples, trains on them, then measures probes, and dev questions where it is their turn."""
        spec = self._spec
        last = self.interval == spec.num_intervals - 1
        self._queue.begin_interval(self._ledger.spent_tokens / self._horizon)
        tokens = interval_tokens(self._budget, spec.num_intervals, self.interval)
        taught = self._teaching.teach(self.interval, allocation, tokens, self._scheduler, self._ledger, horizon=self._horizon, last=last)
        before, self._profile = self._profile, self._measure_probes()
        dev = self._measure_dev() if last or (self.interval + 1) % spec.dev_every == 0 else None
        requirement, rewarded = self.problem.requirement, self._setting.suite.config.reward
        feedback = make_feedback(
            self.interval,
            taught.examples,
            taught.losses,
            before=before,
            after=self._profile,
            requirement=requirement,
            rewarded=rewarded,
            budget_tokens=self._budget,
        )
        epsilon = standard_error(feedback.standard_error, requirement)
        self._dev_utility = None if dev is None else dev.utility
        if not np.isfinite([feedback.reward, epsilon, 0.0 if dev is None else dev.utility]).all():
            raise TrialFailure(f"interval {self.interval}: the reward is not finite")
        self._recent = (*self._recent, feedback)[-RECENT:]
        self.interval += 1
        return Step(
            feedback=feedback,
            charged_tokens=self._ledger.spent_tokens,
            utility_estimate=None if dev is None else dev.utility,
            record=to_record(
                feedback,
                requested=allocation,
                examples=taught.examples,
                figures=taught.figures,
                after=self._profile,
                dev=dev,
                epsilon=epsilon,
            ),
            examples=example_rows(taught.examples),
        )

    def state(self) -> Callable[[], EnvironmentState]:
        """The state, copied now; calling the result serialises it."""
        tensors = self._student.state()
        copied = functools.partial(
            EnvironmentState,
            scheduler=self._scheduler.to_bytes(),
            ledger=self._ledger.to_bytes(),
            prompts=self._queue.state(),
            probe_scores=[scores.tolist() for scores in self._profile.scores],
        )
        return lambda: copied(checkpoint=safetensors.torch.save(tensors))

    def finish(self) -> Outcome:
        """The utility on the test set, and the student's answers to the samples; nothing, where it is not to be tested."""
        if not self._spec.tested:
            return Outcome(record={}, save_student=lambda _: None)
        model = self._student.model
        model.merge_adapter()  # what is measured is what is saved
        with self.watch.phase("eval"):
            evaluation = evaluate(model, self._setting.suite, self._setting.grader, max_new_tokens=self._spec.max_new_tokens)
            if not math.isfinite(evaluation.utility):
                raise TrialFailure("the utility is not finite")
            prompts = [question.prompt for question in self._setting.samples()]
            answers = model.answer(prompts, max_new_tokens=self._spec.max_new_tokens)
        record = {
            "utility": evaluation.utility,
            "step_accuracy": evaluation.step_accuracy,
            "questions": evaluation.n,
            "answers": [answer.text for answer in answers],
            "tokens": {"eval": evaluation.tokens + sum(answer.tokens for answer in answers)},
        }
        return Outcome(
            record=record, save_student=functools.partial(model.save_pretrained, base=self._spec.student, weights=model.whole_weights())
        )

    def _measure_probes(self) -> Profile:
        """The student's current profile."""
        with self.watch.phase("probe"):
            profile = self._setting.profile(self._student.model)
        if not np.isfinite(profile.score).all():
            raise TrialFailure("a probe's score is not finite")
        return profile

    def _measure_dev(self) -> DevScore:
        """The student's current score on the dev questions."""
        with self.watch.phase("probe"):
            return self._setting.dev_score(self._student.model)
