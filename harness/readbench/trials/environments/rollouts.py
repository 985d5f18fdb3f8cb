"""Supervision by the student itself: it answers prompts several times each, in rounds, and the questions' verifiers say how well.

What an answer costs is known only when it is written. So capabilities are served by surplus round robin (`readbench._core.Scheduler`),
and a group of answers is begun only if its dearest outcome, with the round's others, fits what is left of the budget: the budget is never
passed, and nothing that was written is thrown away. A round's answers belong to the student that wrote them: they are used at once and
never kept. A function of the trial's seed, the slots and the student's weights alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from readbench._core import Ledger, Scheduler
from readbench.api import Rollouts, Vector
from readbench.base.seeds import derive_seed
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.models.sampling import Sampling
from readbench.students.needs import dearest_group
from readbench.suites.grading import Grader
from readbench.suites.prompts import PromptQueue, Slot
from readbench.trials.environments.supervision import Example

_ALIKE = 1e-4  # added to a group's standard deviation, as in GRPO: rewards that are all equal have no advantage


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """S answers of the student, group by group."""

    examples: list[Example]
    reward: Vector  # (S,)
    advantage: Vector  # (S,)
    figures: Mapping[str, tuple[float, int]]  # by name: sum and count


class RolloutSupply:
    """Draws the rounds of a trial's intervals."""

    def __init__(
        self,
        queue: PromptQueue,
        model: LanguageModel,
        grader: Grader,
        rollouts: Rollouts,
        *,
        seed: int,
        num_capabilities: int,
        max_new_tokens: int,
        readers: int,
    ) -> None:
        self._queue = queue
        self._model = model
        self._grader = grader
        self._rollouts = rollouts
        self._sampling = Sampling(temperature=rollouts.temperature, top_p=rollouts.top_p)
        self._seed = seed
        self._num_capabilities = num_capabilities
        self._max_new_tokens = max_new_tokens
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
        size = self._rollouts.group_size
        written = self._model.sample(
            [ids for _, ids in prompts for _ in range(size)],
            [self._seed_of(slot, number) for slot, _ in prompts for number in range(size)],
            sampling=self._sampling,
            max_new_tokens=self._max_new_tokens,
        )
        examples, scores = [], []
        for place, (slot, ids) in enumerate(prompts):
            group = []
            for answer in written[place * size : (place + 1) * size]:
                encoded = Encoded((*ids, *answer.ids), len(ids))
                group.append(
                    Example(
                        slot=slot,
                        encoded=encoded,
                        trained_tokens=len(encoded.tokens),
                        scored_tokens=self._readers * len(encoded.tokens),
                        rollout_tokens=len(answer.ids),
                        answer=answer.text,
                        right=self._grader.right(slot.question, answer.text),
                    )
                )
                within = not self._rollouts.token_budget or len(answer.ids) <= self._rollouts.token_budget
                scores.append(self._grader.score(slot.question, answer.text) if within else 0.0)
            self._pay(slot.capability, group, scheduler, ledger)
            examples += group
        reward = np.array(scores)
        grouped = reward.reshape(-1, size)
        finished = [answer.finished for answer in written]
        return Round(
            examples=examples,
            reward=reward,
            advantage=advantages(grouped).ravel(),
            figures={
                "reward": (float(reward.sum()), len(reward)),
                **({"equal_groups": (float((np.ptp(grouped, axis=1) == 0).sum()), len(grouped))} if size > 1 else {}),
                "finished": (float(sum(finished)), len(finished)),
                "length": (float(sum(len(answer.ids) for answer in written)), len(written)),
            },
        )

    def _prompts(self, scheduler: Scheduler, remaining_tokens: int) -> list[tuple[Slot, tuple[int, ...]]]:
        """The slots of the next round, with their prompts' tokens: always of the capability that is owed most."""
        found: list[tuple[Slot, tuple[int, ...]]] = []
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
                generated_tokens=0,
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
