"""Supervision by the student itself: it answers prompts several times each, in rounds, and the questions' verifiers say how well.

What an answer costs is known only when it is written. So capabilities are served by surplus round robin (`readbench._core.Scheduler`),
and a group of answers is begun only if its dearest outcome, with the round's others, fits what is left of the budget: the budget is never
passed, and nothing that was written is thrown away. A round's answers belong to the student that wrote them: they are used at once and
never kept. A function of the trial's seed, the slots and the student's weights alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from readbench._core import Ledger, Scheduler
from readbench.api import Rollouts, Vector
from readbench.base.seeds import derive_seed
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.models.writing.generation import Written
from readbench.models.writing.sampling import Sampling
from readbench.students.needs import dearest_group
from readbench.suites.grading import Grader
from readbench.suites.prompts import PromptQueue, Slot
from readbench.teachers.panel import Panel
from readbench.trials.environments.supervision import Example

_ALIKE = 1e-4  # added to a group's standard deviation, as in GRPO: rewards that are all equal have no advantage


Asked = tuple[Slot, tuple[int, ...]]  # a slot, and its prompt's tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Answers to one prompt."""

    examples: list[Example]
    answers: Sequence[Written]
    reward: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """S answers of the student, group by group."""

    examples: list[Example]
    reward: Vector  # (S,)
    advantage: Vector  # (S,)
    figures: Mapping[str, tuple[float, int]]  # by name: sum and count


class Sampler(Protocol):
    """Who writes the student's answers."""

    def sample(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], *, sampling: Sampling, max_new_tokens: int) -> list[Written]:
        """An answer to each rendered prompt, drawn by its own seed with the student's weights of now."""

    def figures(self) -> Mapping[str, tuple[float, int]]:
        """What there is to say of the last ones, by name: sum and count."""


class OwnSampler:
    """The student itself."""

    def __init__(self, model: LanguageModel) -> None:
        self.sample = model.sample

    def figures(self) -> Mapping[str, tuple[float, int]]:
        """Nothing."""
        return {}


class RolloutSupply:
    """Draws the rounds of a trial's intervals."""

    def __init__(
        self,
        queue: PromptQueue,
        model: LanguageModel,
        sampler: Sampler,
        grader: Grader,
        rollouts: Rollouts,
        *,
        seed: int,
        num_capabilities: int,
        max_new_tokens: int,
        readers: int,
        teachers: Panel,
    ) -> None:
        self._queue = queue
        self._model = model
        self._sampler = sampler
        self._grader = grader
        self._rollouts = rollouts
        self._sampling = Sampling(temperature=rollouts.temperature, top_p=rollouts.top_p)
        self._seed = seed
        self._num_capabilities = num_capabilities
        self._max_new_tokens = max_new_tokens
        self._teachers = teachers  # of hints
        self._readers = readers  # models that read each answer, to judge it
        self.begin_interval()

    def begin_interval(self) -> None:
        """Forgets what answers cost: a resumed trial knows it no better."""
        self._paid: list[list[tuple[int, int]]] = [[] for _ in range(self._num_capabilities)]  # each group's tokens: all, and written

    def draw(self, scheduler: Scheduler, ledger: Ledger) -> Round | None:
        """The next round, charged to the ledger; None once no capability is owed anything, or the next group might pass the budget."""
        prompts = self._prompts(scheduler, ledger.remaining_tokens)
        if not prompts:
            return None
        tried = self._answered(prompts, [ids for _, ids in prompts], first=0)
        failed = [place for place, group in enumerate(tried) if self._rollouts.hint and not any(group.reward)]
        again = self._hinted([prompts[place] for place in failed])
        groups = []
        for place, (slot, _) in enumerate(prompts):
            made = [tried[place], again[failed.index(place)]] if place in failed else [tried[place]]
            self._pay(slot.capability, [example for group in made for example in group.examples], scheduler, ledger)
            groups += made
        reward = np.array([group.reward for group in groups])  # (P, G)
        answers = [answer for group in groups for answer in group.answers]
        return Round(
            examples=[example for group in groups for example in group.examples],
            reward=reward.ravel(),
            advantage=advantages(reward).ravel(),
            figures={
                "reward": (float(reward.sum()), reward.size),
                **({"equal_groups": (float((np.ptp(reward, axis=1) == 0).sum()), len(reward))} if reward.shape[1] > 1 else {}),
                **({"hinted": (float(len(failed)), len(prompts))} if self._rollouts.hint else {}),
                "finished": (float(sum(answer.finished for answer in answers)), len(answers)),
                "length": (float(sum(len(answer.ids) for answer in answers)), len(answers)),
                **self._sampler.figures(),
            },
        )

    def _answered(self, prompts: list[Asked], shown: Sequence[tuple[int, ...]], *, first: int) -> list[_Group]:
        """The student's answers to each prompt, from number `first` on; `shown` are the tokens that it sees."""
        size = self._rollouts.group_size
        written = self._sampler.sample(
            [ids for ids in shown for _ in range(size)],
            [self._seed_of(slot, first + number) for slot, _ in prompts for number in range(size)],
            sampling=self._sampling,
            max_new_tokens=self._max_new_tokens,
        )
        groups = []
        for place, (slot, ids) in enumerate(prompts):
            answers = written[place * size : (place + 1) * size]
            examples = [self._example(slot, ids, answer) for answer in answers]
            groups.append(_Group(examples=examples, answers=answers, reward=[self._reward(slot, answer) for answer in answers]))
        return groups

    def _hinted(self, prompts: list[Asked]) -> list[_Group]:
        """Second answers to these prompts, with the beginning of their teacher's answer in sight; it is charged as generated."""
        if not prompts:
            return []
        asked = [(slot.capability, slot.prompt) for slot, _ in prompts]
        responses = self._teachers.respond(asked, max_new_tokens=self._max_new_tokens)
        hints = [response.text[: math.ceil(self._rollouts.hint * len(response.text))] for response in responses]
        shown = self._model.render([f"{slot.prompt}\nHint: {hint}" for (slot, _), hint in zip(prompts, hints, strict=True)])
        groups = self._answered(prompts, shown, first=self._rollouts.group_size)
        for group, response in zip(groups, responses, strict=True):
            group.examples[0] = replace(group.examples[0], generated_tokens=response.tokens)
        return groups

    def _example(self, slot: Slot, ids: tuple[int, ...], answer: Written) -> Example:
        encoded = Encoded((*ids, *answer.ids), len(ids))
        return Example(
            slot=slot,
            encoded=encoded,
            trained_tokens=len(encoded.tokens),
            scored_tokens=self._readers * len(encoded.tokens),
            rollout_tokens=len(answer.ids),
            answer=answer.text,
            right=self._grader.right(slot.question, answer.text),
        )

    def _reward(self, slot: Slot, answer: Written) -> float:
        within = not self._rollouts.token_budget or len(answer.ids) <= self._rollouts.token_budget
        return self._grader.score(slot.question, answer.text) if within else 0.0

    def _prompts(self, scheduler: Scheduler, remaining_tokens: int) -> list[Asked]:
        """The slots of the next round, with their prompts' tokens: always of the capability that is owed most."""
        found: list[Asked] = []
        pending, taken = np.zeros((2, self._num_capabilities), dtype=np.int64)
        dearest = written = 0
        while written < self._rollouts.round_tokens and (capability := scheduler.most_owed(pending)) >= 0:
            slot = self._queue.peek(capability, int(taken[capability]) + 1)[-1]
            (ids,) = self._model.render([slot.prompt])
            most = dearest_group(len(ids), self._max_new_tokens, self._rollouts, readers=self._readers)
            if dearest + most > remaining_tokens:
                break
            cost, tokens = self._expected(capability, most)
            pending[capability] += cost
            taken[capability] += 1
            dearest += most
            written += tokens
            found.append((slot, ids))
        return found

    def _expected(self, capability: int, most: int) -> tuple[int, int]:
        """About what a group will cost, and how many tokens will be written for it: the interval's mean, or the most."""
        paid = self._paid[capability]
        if not paid:
            return most, self._rollouts.group_size * self._max_new_tokens
        return sum(cost for cost, _ in paid) // len(paid), sum(tokens for _, tokens in paid) // len(paid)

    def _pay(self, capability: int, group: list[Example], scheduler: Scheduler, ledger: Ledger) -> None:
        for example in group:
            ledger.charge_example(
                capability,
                generated_tokens=example.generated_tokens,
                trained_tokens=example.trained_tokens,
                scored_tokens=example.scored_tokens,
                rollout_tokens=example.rollout_tokens,
            )
        cost = sum(example.cost for example in group)
        scheduler.spend(capability, cost)
        self._queue.take(capability, 1)
        self._paid[capability].append((cost, sum(example.rollout_tokens for example in group)))

    def _seed_of(self, slot: Slot, number: int) -> int:
        return derive_seed("rollout", self._seed, slot.capability, slot.difficulty, slot.index, number) % 2**63


def advantages(rewards: Vector) -> Vector:
    """(P, G) of P groups of G rewards: (R − mean)/(sd + 1e-4) within the group, sd with G − 1; 0 for a single answer."""
    if rewards.shape[1] < 2:
        return np.zeros_like(rewards)
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    return np.asarray(centred / (rewards.std(axis=1, ddof=1, keepdims=True) + _ALIKE))
