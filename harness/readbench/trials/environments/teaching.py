"""What an interval's tokens buy, and the training on it: the teacher's answers first, then rounds of the student's own."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from readbench._core import Ledger, Scheduler
from readbench.api import Rollouts, Vector
from readbench.base.seeds import derive_seed
from readbench.students.guarded import make_objective
from readbench.students.needs import num_readers
from readbench.students.passes import Outcomes, Pass
from readbench.students.student import Student
from readbench.suites.prompts import PromptQueue
from readbench.trials.environments.resources import Setting
from readbench.trials.environments.rollouts.served import ServedSampler
from readbench.trials.environments.rollouts.supply import OwnSampler, RolloutSupply, Sampler
from readbench.trials.environments.stopwatch import Stopwatch
from readbench.trials.environments.supervision import Example, Supply
from readbench.trials.spec import TrialSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """An interval's N examples, and what training on them showed."""

    examples: Sequence[Example]
    losses: Vector  # (N,) nats, summed over label tokens; 0 of one that was not taught
    figures: Mapping[str, float]  # means, by name, of the objective and of the rollouts


class Teaching:
    """A trial's student and the two supplies that teach it."""

    def __init__(self, spec: TrialSpec, setting: Setting, queue: PromptQueue, watch: Stopwatch) -> None:
        self._seed, self._setting, self._watch = spec.seed, setting, watch
        with watch.phase("train"):
            objective = make_objective(spec.objective, **spec.objective_params)
            needs, self._needs, self._top = objective.needs, objective.needs, objective.top
            self.student = Student.load(
                setting.student_path,
                training=spec.training,
                objective=objective,
                device=setting.device,
                chat=spec.student_chat,
                max_new_tokens=spec.max_new_tokens,
                teacher=setting.teachers.logits,
                seed=derive_seed("adapter", spec.seed),
                ranks=setting.ranks,
            )
        self._rollouts, self._num_intervals = objective.rollouts, spec.num_intervals
        self._supply = Supply(
            queue,
            setting.teachers,
            functools.partial(setting.encode, self.student.model),
            setting.grader,
            num_capabilities=len(setting.suite.capabilities),
            max_new_tokens=spec.max_new_tokens,
            readers=num_readers(needs, own=False),
            right_only="right_answers" in needs,
        )
        self._rounds = (
            None
            if objective.rollouts is None
            else RolloutSupply(
                queue,
                self.student.model,
                self._sampler(objective.rollouts),
                setting.grader,
                objective.rollouts,
                seed=spec.seed,
                num_capabilities=len(setting.suite.capabilities),
                max_new_tokens=spec.max_new_tokens,
                readers=num_readers(needs),
                teachers=setting.teachers,
            )
        )

    def _sampler(self, rollouts: Rollouts) -> Sampler:
        if rollouts.sampler == "local":
            return OwnSampler(self.student.model)
        student, setting = self.student, self._setting
        return ServedSampler(student.model, setting.sampler, steps_done=student.steps_done, ranks=setting.ranks)

    def teach(
        self, interval: int, allocation: Vector, tokens: int, scheduler: Scheduler, ledger: Ledger, *, horizon: float, last: bool
    ) -> Taught:
        """Grants the tokens by the allocation, spends what is owed, and trains; the learning rate's schedule has `horizon` tokens."""
        own = round(self._own_share(interval) * tokens)
        passes: list[tuple[list[Example], Pass]] = []
        if own < tokens:
            passes.append(self._from_teacher(interval, allocation, tokens - own, scheduler, ledger, horizon=horizon, last=last and not own))
        if self._rounds is not None and own:
            scheduler.grant(allocation, own)
            self._rounds.begin_interval()
            while (done := self._from_student(interval, len(passes), scheduler, ledger, horizon=horizon)) is not None:
                passes.append(done)
        return Taught(
            examples=[example for examples, _ in passes for example in examples],
            losses=np.concatenate([done.losses for _, done in passes]) if passes else np.zeros(0),
            figures=_means([done.figures for _, done in passes]),
        )

    def _own_share(self, interval: int) -> float:
        """The share of an interval's tokens that buys the student's own answers."""
        if self._rollouts is None or interval < self._rollouts.warmup * self._num_intervals:
            return 0.0
        return self._rollouts.share

    def _from_teacher(
        self, interval: int, allocation: Vector, tokens: int, scheduler: Scheduler, ledger: Ledger, *, horizon: float, last: bool
    ) -> tuple[list[Example], Pass]:
        before = ledger.spent_tokens
        scheduler.grant(allocation, tokens)
        with self._watch.phase("teacher"):
            examples = self._supply.draw(scheduler, ledger, last_interval=last)
        taught = [number for number, example in enumerate(examples) if example.trained_tokens]
        outcomes = self._outcomes([examples[number] for number in taught])
        losses = np.zeros(len(examples))
        with self._watch.phase("train"):
            done = self.student.train(
                [examples[number].encoded for number in taught],
                progress=(before / horizon, ledger.spent_tokens / horizon),
                seed=derive_seed("train", self._seed, interval),
                outcomes=outcomes,
                capabilities=[examples[number].slot.capability for number in taught],
            )
        losses[taught] = done.losses
        return examples, Pass(losses=losses, figures=done.figures)

    def _outcomes(self, examples: Sequence[Example]) -> Outcomes | None:
        """What the objective asks of the teacher's answers."""
        reward = None
        if "rewards" in self._needs:
            reward = np.array([self._setting.grader.score(each.slot.question, each.answer) for each in examples])
        if self._top is None:
            return None if reward is None else Outcomes(reward=reward)
        with self._watch.phase("teacher"):
            return Outcomes(reward=reward, teacher_top=self._teacher_top(examples))

    def _teacher_top(self, examples: Sequence[Example]) -> list[Vector] | None:
        if self._top is None:
            return None
        capabilities = [example.slot.capability for example in examples]
        return self._setting.teachers.top([example.encoded for example in examples], capabilities, *self._top)

    def _from_student(
        self, interval: int, number: int, scheduler: Scheduler, ledger: Ledger, *, horizon: float
    ) -> tuple[list[Example], Pass] | None:
        """The round of that number in the interval."""
        assert self._rounds is not None  # noqa: S101 - the caller has looked
        assert self._rollouts is not None  # noqa: S101 - likewise
        before = ledger.spent_tokens
        with self._watch.phase("rollout"):
            made = self._rounds.draw(scheduler, ledger)
        if made is None:
            return None
        written = [example.encoded for example in made.examples]
        capabilities = [example.slot.capability for example in made.examples]
        temperature, reference = self._rollouts.temperature, self._setting.reference_scores
        with self._watch.phase("teacher"):
            outcomes = Outcomes(
                reward=made.reward,
                advantage=made.advantage,
                teacher_top=self._teacher_top(made.examples),
                teacher_logprob=self._setting.teachers.scores(written, capabilities, temperature)
                if "teacher_logprob" in self._needs
                else None,
                reference_logprob=reference(written, temperature) if "reference_logprob" in self._needs and reference is not None else None,
            )
        with self._watch.phase("train"):
            done = self.student.train(
                written,
                progress=(before / horizon, ledger.spent_tokens / horizon),
                seed=derive_seed("train", self._seed, interval, number),
                outcomes=outcomes,
                capabilities=capabilities,
                own=True,
            )
        return made.examples, Pass(losses=done.losses, figures={**made.figures, **done.figures})


def _means(figures: Sequence[Mapping[str, tuple[float, int]]]) -> dict[str, float]:
    """Means over all passes of an interval; a figure that no token had has none."""
    sums: dict[str, tuple[float, int]] = {}
    for each in figures:
        for name, (value, count) in each.items():
            before, counted = sums.get(name, (0.0, 0))
            sums[name] = before + value, counted + count
    return {name: value / count for name, (value, count) in sums.items() if count}
