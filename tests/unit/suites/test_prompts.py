import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench.api import Difficulty, Question
from readbench.base.errors import ConfigError
from readbench.suites.prompts import CURRICULUM, HeldOut, PromptQueue, PromptStreams, difficulty_mix, held_out_questions
from readbench.suites.sources.gym import GymSource
from readbench.suites.splits import normalise, split_of


class Sums:
    """Additions of numbers below `limit`."""

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        a, b = rng.randrange(self._limit), rng.randrange(self._limit)
        return Question(prompt=f"{'+' * (difficulty + 1)} {a} {b}", answer=str(a + b), key=f"{min(a, b)}+{max(a, b)}")


def queue(seed: int = 0, held_out: HeldOut | None = None) -> PromptQueue:
    return PromptQueue(PromptStreams([Sums(), Sums()], seed, held_out or HeldOut([])), 2)


def held(prompts: Iterable[str], **more: Any) -> HeldOut:
    return HeldOut([Question(prompt=prompt, answer="x") for prompt in prompts], **more)


def test_the_splits_are_about_60_12_8_20_percent_and_follow_the_key() -> None:
    rng = random.Random(0)
    questions = [Sums(100_000).sample(rng, 0) for _ in range(5000)]
    shares = Counter(split_of(question) for question in questions)
    for split, percent in (("teach", 60), ("probe", 12), ("dev", 8), ("test", 20)):
        assert shares[split] / 50 == pytest.approx(percent, abs=2)
    assert split_of(Question(prompt="7+5", answer="12", key="5+7")) == split_of(Question(prompt="5+7", answer="12", key="5+7"))


def test_a_prompt_falls_into_one_split_however_it_is_written() -> None:
    assert normalise("  What\tIS  \uff17+5?\n") == "what is 7+5?"
    assert split_of(Question(prompt="What is 7+5?", answer="12")) == split_of(Question(prompt=" what  IS 7+5? ", answer="12"))


def test_an_exhausted_source_is_an_error_not_an_endless_loop() -> None:
    with pytest.raises(ConfigError, match="no more probe questions"):
        held_out_questions([Sums(limit=3)], "probe", 50, "suite")
    with pytest.raises(ConfigError, match="may be taught"):
        PromptStreams([Sums(limit=2)], 0, held(f"+ {a} {b}" for a in range(2) for b in range(2))).slot(0, 0, 0)


def test_held_out_questions_are_distinct_and_of_their_split() -> None:
    (questions,) = held_out_questions([Sums()], "dev", 60, "suite")
    assert len({normalise(q.prompt) for q in questions}) == 60
    assert {split_of(q) for q in questions} == {"dev"}
    assert held_out_questions([Sums()], "dev", 60, "suite") == [questions]


def test_taught_prompts_are_never_held_out_ones() -> None:
    streams = PromptStreams([Sums()], 3, HeldOut([]))
    taught = [streams.slot(0, 0, i).prompt for i in range(200)]
    filtered = PromptStreams([Sums()], 3, held(taught[::2]))
    again = {normalise(filtered.slot(0, 0, i).prompt) for i in range(200)}
    assert again.isdisjoint(normalise(prompt) for prompt in taught[::2])
    assert normalise(taught[1]) in again  # an innocent slot keeps its prompt


def test_a_common_run_of_eight_words_leaks_and_seven_do_not() -> None:
    held_out = held(["one two three four five six seven eight nine"])
    assert held_out.leaks(Question(prompt="Zero TWO three four five six  seven eight nine ten", answer="x"))
    assert not held_out.leaks(Question(prompt="two three four five six seven eight and so on", answer="x"))
    assert held_out.leaks(Question(prompt="One two three four five six seven eight nine", answer="x"))


def test_between_two_questions_with_keys_the_keys_decide_and_not_their_template() -> None:
    told = "Please book a table for five people in Rome"
    vouched, foreign = HeldOut([Question(prompt=f"{told} today", answer="x", key="today")]), held([f"{told} today"])
    other, same = (Question(prompt=f"{told} {day}", answer="x", key=day) for day in ("tomorrow", "today"))
    assert not vouched.leaks(other)
    assert vouched.leaks(same)
    assert vouched.leaks(Question(prompt="A table, Rome, five, today", answer="x", key="today"))  # the problem in other words
    assert vouched.leaks(Question(prompt=f"{told} tomorrow", answer="x"))  # without a key, words in a row count
    assert vouched.leaks(Question(prompt=f"{told.lower()}  TODAY", answer="x", key="another"))
    assert foreign.leaks(other)  # a test from elsewhere is held out by its words, whatever the source says


def test_a_slot_depends_on_its_place_alone() -> None:
    one, other = PromptStreams([Sums(), Sums()], 5, HeldOut([])), PromptStreams([Sums(), Sums()], 5, HeldOut([]))
    forward = [one.slot(1, 2, i).prompt for i in range(20)]
    backward = [other.slot(1, 2, i).prompt for i in reversed(range(20))]
    assert forward == backward[::-1]
    assert forward != [PromptStreams([Sums(), Sums()], 6, HeldOut([])).slot(1, 2, i).prompt for i in range(20)]
    assert forward != [one.slot(0, 2, i).prompt for i in range(20)]


@given(st.floats(0, 1), st.integers(1, 200))
def test_the_drawn_difficulties_follow_the_curriculum_to_within_one_slot(share_spent: float, count: int) -> None:
    drawn = queue()
    drawn.begin_interval(share_spent)
    levels = Counter(slot.difficulty for slot in drawn.take(0, count))
    for level, share in enumerate(difficulty_mix(share_spent)):
        assert abs(levels[level] - share * count) <= 1 + 1e-9


def test_the_curriculum_grows_harder() -> None:
    assert [difficulty_mix(share) for share in (0.0, 0.3, 0.31, 0.7, 0.71, 1.0)] == [
        CURRICULUM[0][1], CURRICULUM[0][1], CURRICULUM[1][1], CURRICULUM[1][1], CURRICULUM[2][1], CURRICULUM[2][1],
    ]  # fmt: skip


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.integers(0, 9))
def test_peeking_takes_nothing_and_state_goes_on_exactly(counts: list[int], ahead: int) -> None:
    one, other = queue(), queue()
    for number, count in enumerate(counts):
        one.begin_interval(number / len(counts))
        seen = one.peek(1, count + ahead)
        assert one.take(1, count) == seen[:count]
    other.restore(one.state())
    other.begin_interval(1.0)
    one.begin_interval(1.0)
    assert other.take(1, 30) == one.take(1, 30)


def test_the_fixed_wording_of_a_source_is_no_leak_but_a_passage_of_two_questions_is() -> None:
    ask = "write the final answer on one line of its own at the very end"
    passage = "the river rose over its banks in the night and took the old bridge"
    probes = [f"what is {n} plus {n}? {ask}" for n in range(18)] + [f"{passage}: {what}?" for what in ("where", "when")]
    held_out = held(probes, by_source=[probes])
    assert held(probes).leaks(Question(prompt=f"what is 70 plus 71? {ask}", answer="x"))
    assert not held_out.leaks(Question(prompt=f"what is 70 plus 71? {ask}", answer="x"))
    assert held_out.leaks(Question(prompt=f"What is 3 plus 3? {ask}", answer="x"))  # the whole text of a probe
    assert held_out.leaks(Question(prompt=f"{passage}: why?", answer="x"))


def test_wording_needs_three_prompts_and_a_tenth_of_the_source_s() -> None:
    run = "one two three four five six seven eight"
    for repeats, count, wording in ((2, 4, False), (3, 4, True), (3, 30, True), (3, 31, False), (4, 31, True)):
        probes = [f"{run} {n}" for n in range(repeats)] + [f"other {n}" for n in range(count - repeats)]
        assert held(probes, by_source=[probes]).leaks(Question(prompt=f"{run} and more", answer="x")) is not wording


@pytest.mark.parametrize("dataset", ["chain_sum", "knights_knaves", "syllogism"])
def test_a_source_that_ends_every_prompt_alike_can_be_taught(dataset: str) -> None:
    source = GymSource(f"gym:{dataset}", [{"min_digits": 2}] * 3 if dataset == "chain_sum" else None)
    (questions,) = held_out_questions([source], "probe", 30, "mine")
    probes = [question.prompt for question in questions]
    streams = PromptStreams([source], 0, HeldOut(questions, by_source=[probes]))
    taught = {normalise(streams.slot(0, difficulty, index).prompt) for difficulty in (0, 1, 2) for index in range(5)}
    assert taught.isdisjoint(map(normalise, probes))
