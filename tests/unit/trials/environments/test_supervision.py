"""What an allocation buys: the first slots of each stream that the credit pays for, and nothing else."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from readbench._core import Ledger, Scheduler
from readbench.api import Difficulty, Question, Response
from readbench.models.batches import Encoded
from readbench.suites.grading import Grader
from readbench.suites.prompts import HeldOut, PromptQueue, PromptStreams
from readbench.trials.environments import supervision
from readbench.trials.environments.supervision import Example, Supply

GENERATED = (3, 8)  # tokens of an answer, by capability
PROMPT = 2  # tokens of a prompt: an example costs 2·3 + 2 = 8 of the first, 2·8 + 2 = 18 of the second


class Numbers:
    """Asks for numbers; the prompt says of which capability it is."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:  # noqa: ARG002 - the contract
        number = rng.randrange(10**9)
        return Question(prompt=f"{self._capability} {number}", answer=str(number))


class Teacher:
    """Answers with as many tokens as the capability's answers have; every other answer is cut at the limit."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.limits: set[int] = set()

    def respond(self, asked: Sequence[tuple[int, str]], *, max_new_tokens: int) -> list[Response]:
        prompts = [prompt for capability, prompt in asked]
        assert prompts == [prompt for capability, prompt in asked if prompt.startswith(f"{capability} ")]  # each of its own
        self.asked.append(list(prompts))
        self.limits.add(max_new_tokens)
        return [Response(text=f"to {p}", tokens=GENERATED[int(p[0])], finished=int(p[-1]) % 2 == 0) for p in prompts]


class Trial:
    """A trial's supply with its accounts."""

    def __init__(self, budget_tokens: int, *, readers: int = 0, right_only: bool = False) -> None:
        self.teacher = Teacher()
        self.encoded: dict[str, tuple[str, bool]] = {}
        self.scheduler, self.ledger = Scheduler(2), Ledger(budget_tokens, 2)
        self.queue = self.fresh_queue()
        self._supply = Supply(
            self.queue,
            self.teacher,  # type: ignore[arg-type]
            self._encode,
            Grader(),
            num_capabilities=2,
            max_new_tokens=9,
            readers=readers,
            right_only=right_only,
        )

    @staticmethod
    def fresh_queue() -> PromptQueue:
        return PromptQueue(PromptStreams([Numbers(0), Numbers(1)], 0, HeldOut([])), 2)

    def _encode(self, prompt: str, response: str, *, finished: bool) -> Encoded:
        self.encoded[prompt] = (response, finished)
        return Encoded(tuple(range(PROMPT + GENERATED[int(prompt[0])])), PROMPT)

    def draw(self, shares: Sequence[float], tokens: int, *, last: bool = False) -> list[Example]:
        self.scheduler.grant(np.array(shares), tokens)
        return self._supply.draw(self.scheduler, self.ledger, last_interval=last)


def charged(budget_tokens: int, *bought: int) -> Ledger:
    """The accounts after so many examples of each capability: 3 + 5 tokens of the first, 8 + 10 of the second."""
    ledger = Ledger(budget_tokens, 2)
    for capability, count in enumerate(bought):
        for _ in range(count):
            ledger.charge_example(capability, generated_tokens=GENERATED[capability], trained_tokens=GENERATED[capability] + PROMPT)
    return ledger


def slots(examples: Sequence[Example], capability: int) -> list[tuple[int, int]]:
    return [(e.slot.difficulty, e.slot.index) for e in examples if e.slot.capability == capability]


def first_slots(capability: int, count: int) -> list[tuple[int, int]]:
    return [(slot.difficulty, slot.index) for slot in Trial.fresh_queue().peek(capability, count)]


def test_an_example_costs_what_was_generated_and_what_is_trained() -> None:
    (example,) = Trial(100).draw([1.0, 0.0], 8)
    assert (example.generated_tokens, example.trained_tokens, example.scored_tokens, example.cost) == (3, 5, 0, 8)


def test_an_example_that_the_teacher_scores_costs_its_tokens_once_more() -> None:
    trial = Trial(100, readers=1)
    (example,) = trial.draw([1.0, 0.0], 13)
    assert (example.generated_tokens, example.trained_tokens, example.scored_tokens, example.cost) == (3, 5, 5, 13)
    assert trial.ledger.spent_tokens == 13


def test_an_answer_that_does_not_verify_is_charged_but_not_taught_where_only_right_ones_count() -> None:
    trial = Trial(100, readers=1, right_only=True)
    (example,) = trial.draw([1.0, 0.0], 3)  # the teacher of these tests answers wrongly
    assert not example.right
    assert (example.generated_tokens, example.trained_tokens, example.scored_tokens, example.cost) == (3, 0, 0, 3)
    assert trial.ledger.spent_tokens == 3


def test_the_verifier_of_its_question_judges_the_teacher_s_answer() -> None:
    trial = Trial(1000)
    trial.teacher.respond = (
        lambda asked, **_: [  # type: ignore[method-assign]
            Response(text=f"The answer is {int(p[2:]) + (p[0] == '1')}.", tokens=3, finished=True) for _, p in asked
        ]
    )
    examples = trial.draw([0.5, 0.5], 100)
    assert {(example.slot.capability, example.right) for example in examples} == {(0, True), (1, False)}
    assert all(example.answer.startswith("The answer is") for example in examples)


def test_the_credit_buys_the_first_slots_of_each_stream_in_order_of_capability() -> None:
    """100 tokens: 50 buy six of 8 and leave 2, 50 buy two of 18 and leave 14."""
    trial = Trial(1000)
    examples = trial.draw([0.5, 0.5], 100)
    assert [example.slot.capability for example in examples] == [0] * 6 + [1] * 2
    assert [slots(examples, capability) for capability in (0, 1)] == [first_slots(0, 6), first_slots(1, 2)]
    assert trial.scheduler.deficits.tolist() == [2, 14]


def test_every_example_is_charged_to_its_capability_and_by_its_kinds() -> None:
    trial = Trial(1000)
    trial.draw([0.5, 0.5], 100)
    assert trial.ledger == charged(1000, 6, 2)
    assert trial.ledger.spent_tokens == 84


def test_the_student_learns_the_teacher_s_answer_to_the_prompt_and_where_it_was_cut() -> None:
    trial = Trial(1000)
    trial.draw([0.5, 0.5], 100)
    assert trial.teacher.limits == {9}
    assert trial.encoded
    assert all(answer == (f"to {prompt}", int(prompt[-1]) % 2 == 0) for prompt, answer in trial.encoded.items())


def test_what_was_not_bought_is_bought_next_time_and_nothing_is_left_out() -> None:
    trial = Trial(1000)
    first, second = trial.draw([0.5, 0.5], 100), trial.draw([0.5, 0.5], 100)
    for capability, count in ((0, 12), (1, 5)):  # 100 = 12·8 + 4 and 5·18 + 10
        assert slots(first, capability) + slots(second, capability) == first_slots(capability, count)
    assert trial.scheduler.deficits.tolist() == [4, 10]


def test_a_capability_without_credit_is_not_asked_for() -> None:
    trial = Trial(1000)
    assert {example.slot.capability for example in trial.draw([0.0, 1.0], 100)} == {1}
    assert {prompt[0] for batch in trial.teacher.asked for prompt in batch} == {"1"}


def test_no_tokens_ask_for_nothing() -> None:
    trial = Trial(1000)
    assert trial.draw([0.5, 0.5], 0) == []
    assert trial.teacher.asked == []


@pytest.mark.parametrize(("first_ask", "margin"), [(1, 1.0), (3, 0.1), (8, 1.05), (100, 3.0)])
def test_what_is_bought_does_not_depend_on_how_much_is_asked_for_at_a_time(
    monkeypatch: pytest.MonkeyPatch, first_ask: int, margin: float
) -> None:
    monkeypatch.setattr(supervision, "_FIRST_ASK", first_ask)
    monkeypatch.setattr(supervision, "_ASK_MARGIN", margin)
    examples = Trial(1000).draw([0.4, 0.6], 600)
    assert [slots(examples, capability) for capability in (0, 1)] == [first_slots(0, 30), first_slots(1, 20)]


def test_the_teacher_is_asked_in_two_batches_for_little_more_than_is_bought_and_then_in_one() -> None:
    """The first batch shows what an example costs: 800 tokens are 100 of 8, 1800 are 100 of 18."""
    trial = Trial(10_000)
    for batches in (2, 1):
        before = len(trial.teacher.asked)
        trial.scheduler.grant(np.array([1.0, 0.0]), 800)
        assert len(trial.draw([0.0, 1.0], 1800)) == 200
        asked = trial.teacher.asked[before:]
        assert len(asked) == batches
        assert 200 <= sum(map(len, asked)) <= 1.15 * 200 + 2


def test_the_last_interval_asks_for_less_that_nothing_will_buy() -> None:
    trial = Trial(2600)
    trial.scheduler.grant(np.array([1.0, 0.0]), 800)
    assert len(trial.draw([0.0, 1.0], 1800, last=True)) == 200
    assert sum(map(len, trial.teacher.asked)) <= 1.05 * 200 + 2


def test_a_batch_never_asks_again_for_what_was_answered() -> None:
    trial = Trial(10_000)
    trial.draw([0.5, 0.5], 3000)
    asked = [prompt for batch in trial.teacher.asked for prompt in batch]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("budget_tokens", "shares", "bought"),
    [
        (102, [0.5, 0.5], (6, 3)),  # 51 buy 6 and 2 and leave 3 and 15: the 18 that are left go to the second, which is owed more
        (100, [0.49, 0.51], (7, 2)),  # 49 and 51 buy 6 and 2 and leave 1 and 15: 16 are too few for the second, and buy one of 8
        (60, [1.0, 0.0], (7, 0)),  # owed 4, and 4 are left: nothing fits
        (16, [0.5, 0.5], (1, 0)),  # the first is owed nothing, the second 8, which are too few
    ],
)
def test_the_last_interval_spends_what_is_left_on_what_is_owed_most(
    budget_tokens: int, shares: list[float], bought: tuple[int, int]
) -> None:
    trial = Trial(budget_tokens)
    examples = trial.draw(shares, budget_tokens, last=True)
    assert [slots(examples, capability) for capability in (0, 1)] == [first_slots(c, count) for c, count in enumerate(bought)]
    assert trial.ledger == charged(budget_tokens, *bought)


@pytest.mark.parametrize(("tokens", "bought"), [(1, 1), (65, 9)])  # eight of 8 are the first batch, and one token more is owed
def test_what_is_owed_may_be_a_single_token(tokens: int, bought: int) -> None:
    assert slots(Trial(100).draw([1.0, 0.0], tokens, last=True), 0) == first_slots(0, bought)


def test_before_the_last_interval_what_is_left_stays_owed() -> None:
    trial = Trial(102)
    assert len(trial.draw([0.5, 0.5], 102)) == 6 + 2
    assert trial.scheduler.deficits.tolist() == [3, 15]
