"""Supervision on the fly, second half: an allocation becomes the interval's examples, counted to the token.

The scheduler says how many of its next slots each capability's token credit buys; the teachers answer them in one batch.
A slot that was answered but not bought stays at the head of its stream and is bought later (its response is cached), so
nothing is discarded and nothing taught is free. Whether a slot is bought depends only on its own cost and its
capability's credit, never on how many slots were asked for at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench._core import Ledger, Scheduler
from readbench.models.batches import Encoded
from readbench.suites.grading import Grader
from readbench.suites.prompts import PromptQueue, Slot
from readbench.teachers.panel import Panel

_FIRST_ASK = 8  # slots of a capability whose mean cost is not known yet
_ASK_MARGIN = (
    1.15  # asks for more than the mean cost suggests: a small batch more takes longer, and the rest is bought in the next interval
)
_LAST_ASK_MARGIN = 1.05  # in the last interval nothing buys the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A slot with an answer, as the student trains on it."""

    slot: Slot
    encoded: Encoded
    generated_tokens: int = 0  # of the teacher's answer
    trained_tokens: int  # 0 for an answer that an objective for right answers does not learn from
    scored_tokens: int  # that models which are not trained read, for an objective that compares them with the student
    rollout_tokens: int = 0  # of the student's own answer
    answer: str
    right: bool  # whether the question's verifier accepts it

    @property
    def cost(self) -> int:
        """Tokens that the example charges."""
        return self.generated_tokens + self.trained_tokens + self.scored_tokens + self.rollout_tokens


class Supply:
    """Draws the examples of a trial's intervals."""

    def __init__(
        self,
        queue: PromptQueue,
        teachers: Panel,
        encode: Callable[..., Encoded],
        grader: Grader,
        *,
        num_capabilities: int,
        max_new_tokens: int,
        readers: int,
        right_only: bool,
    ) -> None:
        self._queue = queue
        self._teachers = teachers
        self._encode = encode
        self._grader = grader
        self._num_capabilities = num_capabilities
        self._max_new_tokens = max_new_tokens
        self._readers = readers  # models that read each example as the student sees it, to be compared with it
        self._mean_costs = np.zeros(num_capabilities)  # (K,) tokens an example, as last seen; 0 if none was
        self._right_only = right_only  # whether an answer that does not verify is charged but not taught

    def draw(self, scheduler: Scheduler, ledger: Ledger, *, last_interval: bool) -> list[Example]:
        """The examples that the scheduler's credits buy, charged to the ledger, in order of capability.

        In the last interval the capabilities that are owed most get the rest of the budget, one example each.
        """
        heads: list[list[Example]] = [[] for _ in range(self._num_capabilities)]  # answered, not bought yet
        bought: list[list[Example]] = [[] for _ in range(self._num_capabilities)]
        margin = _LAST_ASK_MARGIN if last_interval else _ASK_MARGIN
        known = self._mean_costs > 0
        first = np.where(known, margin * scheduler.estimate(np.maximum(self._mean_costs, 1.0)) + 1, _FIRST_ASK)
        ask = np.where(scheduler.deficits > 0, first, 0).astype(np.int64)
        while ask.any():
            self._answer(heads, ask)
            ask = np.zeros(self._num_capabilities, dtype=np.int64)
            self._look(heads, bought)
            wanted = scheduler.estimate(np.maximum(self._mean_costs, 1.0))
            for capability, examples in enumerate(heads):
                costs = np.array([example.cost for example in examples], dtype=np.int64)
                fitting = int((costs.cumsum() <= ledger.remaining_tokens).sum())  # others may have overdrawn, by answers of their own
                count = scheduler.admit(capability, costs[:fitting])
                for example in examples[:count]:
                    self._buy(example, ledger, bought)
                if count == len(examples) and scheduler.deficits[capability] > 0:
                    ask[capability] = max(1, int(margin * (wanted[capability] - count)) + 1)
                del examples[:count]
        while last_interval:
            costs = np.array([examples[0].cost if examples else -1 for examples in heads], dtype=np.int64)
            capability = scheduler.admit_remainder(costs, ledger.remaining_tokens)
            if capability < 0:
                break
            self._buy(heads[capability].pop(0), ledger, bought)
        return [example for examples in bought for example in examples]

    def _buy(self, example: Example, ledger: Ledger, bought: list[list[Example]]) -> None:
        capability = example.slot.capability
        ledger.charge_example(
            capability,
            generated_tokens=example.generated_tokens,
            trained_tokens=example.trained_tokens,
            scored_tokens=example.scored_tokens,
        )
        self._queue.take(capability, 1)
        bought[capability].append(example)

    def _answer(self, heads: list[list[Example]], ask: npt.NDArray[np.int64]) -> None:
        """Appends the next `ask` (K,) slots of each capability, answered, to its heads."""
        slots = [
            slot
            for capability, count in enumerate(ask)
            if count
            for slot in self._queue.peek(capability, len(heads[capability]) + int(count))[len(heads[capability]) :]
        ]
        responses = self._teachers.respond([(slot.capability, slot.prompt) for slot in slots], max_new_tokens=self._max_new_tokens)
        for slot, response in zip(slots, responses, strict=True):
            encoded = self._encode(slot.prompt, response.text, finished=response.finished)
            right = self._grader.right(slot.question, response.text)
            length = len(encoded.tokens) if right or not self._right_only else 0
            heads[slot.capability].append(
                Example(
                    slot=slot,
                    encoded=encoded,
                    generated_tokens=response.tokens,
                    trained_tokens=length,
                    scored_tokens=self._readers * length,
                    answer=response.text,
                    right=right,
                )
            )

    def _look(self, heads: list[list[Example]], bought: list[list[Example]]) -> None:
        """Takes down the mean cost of each capability's examples."""
        for capability, (waiting, taken) in enumerate(zip(heads, bought, strict=True)):
            if costs := [example.cost for example in (*waiting, *taken)]:
                self._mean_costs[capability] = np.mean(costs)
