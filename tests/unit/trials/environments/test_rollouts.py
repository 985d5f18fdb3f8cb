"""Rounds of the student's own answers: what they cost, whose turn it is, and that the budget is never passed."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readbench._core import Ledger, Scheduler
from readbench.api import Difficulty, Question, Response, Rollouts, Vector
from readbench.models.writing.generation import Written
from readbench.models.writing.sampling import Sampling
from readbench.students.needs import dearest_group
from readbench.suites.grading import Grader
from readbench.suites.prompts import HeldOut, PromptQueue, PromptStreams, Slot
from readbench.trials.environments.rollouts.supply import OwnSampler, RolloutSupply, Round, advantages

LONGEST, PROMPT = 6, 3  # tokens of an answer at most, and of a prompt


class Numbers:
    """Asks for numbers; the prompt says of which capability it is."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:  # noqa: ARG002 - the contract
        number = rng.randrange(10**9)
        return Question(prompt=f"{self._capability} {number}", answer=str(number % 2))


class Writer:
    """A student that writes 1 to `LONGEST` tokens, by the seed alone, and every other answer rightly."""

    def __init__(self) -> None:
        self.rendered: dict[tuple[int, ...], str] = {}
        self.asked: list[list[tuple[tuple[int, ...], int]]] = []
        self.ways: set[tuple[Sampling, int]] = set()

    def render(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        tokens = [(int(prompt[0]), int(prompt.split()[1]) % 10**6, 7) for prompt in prompts]
        self.rendered.update(zip(tokens, prompts, strict=True))
        return tokens

    def sample(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], *, sampling: Sampling, max_new_tokens: int) -> list[Written]:
        self.asked.append(list(zip(prompts, seeds, strict=True)))
        self.ways.add((sampling, max_new_tokens))
        return [self.written(ids, seed) for ids, seed in self.asked[-1]]

    def written(self, ids: tuple[int, ...], seed: int) -> Written:
        length = 1 + seed % LONGEST
        number = int(self.rendered[ids].split()[1])
        return Written(tuple(range(length)), str((number + seed) % 2), length < LONGEST)


class Hopeless(Writer):
    """Is right only with a hint in sight, and then with every other seed."""

    def render(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        tokens = [(*ids, 8) if "Hint:" in prompt else ids for prompt, ids in zip(prompts, super().render(prompts), strict=True)]
        self.rendered.update(zip(tokens, prompts, strict=True))
        return tokens

    def written(self, ids: tuple[int, ...], seed: int) -> Written:
        right = str(int(self.rendered[ids].split()[1]) % 2)
        return Written((1, 2), right if ids[-1] == 8 and seed % 2 else "wrong", finished=True)


class Teacher:
    """Answers at length."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def respond(self, asked: Sequence[tuple[int, str]], *, max_new_tokens: int) -> list[Response]:
        self.asked += asked
        return [Response(text="abcde", tokens=max_new_tokens, finished=True) for _ in asked]


class Trial:
    """A trial's rounds with their accounts."""

    def __init__(self, budget_tokens: int, *, readers: int = 0, writer: Writer | None = None, **how: float) -> None:
        self.teacher = Teacher()
        self.writer, self.scheduler, self.ledger = writer or Writer(), Scheduler(2), Ledger(budget_tokens, 2)
        self.queue = PromptQueue(PromptStreams([Numbers(0), Numbers(1)], 0, HeldOut([])), 2)
        self.rollouts = Rollouts(**{"group_size": 4, "round_tokens": 40, **how})  # type: ignore[arg-type]
        self.dearest = dearest_group(PROMPT, LONGEST, self.rollouts, readers=readers)
        self._supply = RolloutSupply(
            self.queue,
            self.writer,  # type: ignore[arg-type]
            OwnSampler(self.writer),  # type: ignore[arg-type]
            Grader(),
            self.rollouts,
            seed=9,
            num_capabilities=2,
            max_new_tokens=LONGEST,
            readers=readers,
            teachers=self.teacher,  # type: ignore[arg-type]
        )

    def draw(self) -> Round | None:
        return self._supply.draw(self.scheduler, self.ledger)

    def interval(self, shares: Sequence[float], tokens: int) -> list[Round]:
        self._supply.begin_interval()
        self.scheduler.grant(np.array(shares), tokens)
        rounds = []
        while (done := self.draw()) is not None:
            rounds.append(done)
        return rounds


def test_an_answer_costs_what_was_written_what_is_trained_and_what_is_read() -> None:
    trial = Trial(1000, readers=2)
    (first, *_) = trial.interval([1.0, 0.0], 1)
    assert len(first.examples) == 4
    for example in first.examples:
        length = example.rollout_tokens
        assert example.encoded.tokens[:PROMPT] == trial.writer.render([example.slot.prompt])[0]
        assert example.encoded.label_count == length
        assert (example.generated_tokens, example.trained_tokens, example.scored_tokens) == (0, PROMPT + length, 2 * (PROMPT + length))
        assert example.cost == length + 3 * (PROMPT + length)
    assert trial.ledger.spent_tokens == sum(example.cost for example in first.examples) == 1 - trial.scheduler.deficits[0]


def test_a_group_answers_one_prompt_with_seeds_of_its_own() -> None:
    trial = Trial(10_000, temperature=0.7, top_p=0.9)
    (first, *_) = trial.interval([0.5, 0.5], 400)
    groups = [first.examples[place : place + 4] for place in range(0, len(first.examples), 4)]
    assert len(groups) > 1
    assert all(len({example.slot for example in group}) == 1 for group in groups)
    assert len({group[0].slot for group in groups}) == len(groups)
    seeds = [seed for asked in trial.writer.asked for _, seed in asked]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert trial.writer.ways == {(Sampling(temperature=0.7, top_p=0.9), LONGEST)}


def test_the_verifier_s_scores_become_rewards_and_advantages_within_the_group() -> None:
    (first, *_) = Trial(1000).interval([1.0, 0.0], 1)
    scores = [float(example.right) for example in first.examples]
    assert first.reward.tolist() == scores
    assert first.advantage.tolist() == pytest.approx(advantages(np.array([scores]))[0].tolist())
    assert first.figures["reward"] == (sum(scores), 4)
    assert first.figures["equal_groups"] == (float(len(set(scores)) == 1), 1)
    assert first.figures["finished"] == (sum(example.rollout_tokens < LONGEST for example in first.examples), 4)
    assert first.figures["length"] == (sum(example.rollout_tokens for example in first.examples), 4)


def test_a_prompt_that_nobody_answers_is_tried_again_with_a_hint_and_trained_without_it() -> None:
    trial = Trial(5000, readers=1, writer=Hopeless(), hint=0.5)
    (first, *_) = trial.interval([1.0, 0.0], 1)
    slots = {example.slot for example in first.examples}
    assert len(slots) == 1
    (slot,) = slots
    assert trial.teacher.asked == [(0, slot.prompt)]
    assert trial.writer.rendered[trial.writer.asked[1][0][0]] == f"{slot.prompt}\nHint: abc"  # half of five letters, rounded up
    (prompt,) = trial.writer.render([slot.prompt])
    assert {example.encoded.tokens[: len(prompt)] for example in first.examples} == {prompt}
    assert first.reward[:4].tolist() == [0, 0, 0, 0]
    assert first.advantage[:4].tolist() == [0, 0, 0, 0]
    seeds = [seed for asked in trial.writer.asked for _, seed in asked]
    assert len(set(seeds)) == 8
    assert first.reward[4:].tolist() == [seed % 2 for seed in seeds[4:]]
    assert first.advantage[4:].tolist() == pytest.approx(advantages(first.reward[None, 4:])[0].tolist())
    assert [example.generated_tokens for example in first.examples] == [0, 0, 0, 0, LONGEST, 0, 0, 0]  # the teacher's answer, once
    assert trial.ledger.spent_tokens == sum(example.cost for example in first.examples)
    assert first.figures["hinted"] == (1, 1)


def test_who_has_a_right_answer_gets_no_hint_and_without_the_setting_nobody_does() -> None:
    seen = set()
    for each in Trial(20_000, hint=0.5).interval([0.5, 0.5], 2000):
        groups = [(each.examples[place].slot, each.reward[place : place + 4]) for place in range(0, len(each.examples), 4)]
        of_slot: dict[Slot, list[Vector]] = {}
        for slot, reward in groups:
            of_slot.setdefault(slot, []).append(reward)
        for first, *second in of_slot.values():
            assert bool(second) == (not first.any())
            seen.add(bool(second))
        assert each.figures["hinted"] == (sum(len(found) == 2 for found in of_slot.values()), len(of_slot))
    assert seen == {False, True}
    assert all("hinted" not in each.figures for each in Trial(10_000).interval([0.5, 0.5], 400))


@pytest.mark.parametrize("budget", [200, 333, 500, 900])
def test_second_answers_never_pass_the_budget_either(budget: int) -> None:
    trial = Trial(budget, readers=2, writer=Hopeless(), hint=1.0)
    rounds = trial.interval([0.5, 0.5], budget)
    assert trial.ledger.spent_tokens <= budget
    assert (trial.ledger.spent_tokens > 0) == bool(rounds) == (trial.dearest <= budget)


def test_an_answer_beyond_its_token_budget_earns_nothing() -> None:
    free, bound = (Trial(1000, token_budget=budget).interval([1.0, 0.0], 200) for budget in (0, 3))
    for one, other in zip(free, bound, strict=True):
        assert one.examples == other.examples  # what was written and what it costs is the same
        lengths = [example.rollout_tokens for example in one.examples]
        assert other.reward.tolist() == [score if length <= 3 else 0.0 for score, length in zip(one.reward, lengths, strict=True)]
    assert any((one.reward != other.reward).any() for one, other in zip(free, bound, strict=True))


def test_advantages_by_hand() -> None:
    """(1, 0, 0, 0): mean ¼, sd ½ with n − 1; (.75, −.25, ..)/(.5 + 1e-4). A group that is all alike has none."""
    found = advantages(np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]))
    assert found[0].tolist() == pytest.approx([0.75 / 0.5001, *[-0.25 / 0.5001] * 3])
    assert found[1].tolist() == [0.0] * 4
    assert advantages(np.array([[1.0], [0.0]])).tolist() == [[0.0], [0.0]]


def test_single_answers_have_no_groups_that_could_be_alike() -> None:
    (first, *_) = Trial(1000, group_size=1).interval([1.0, 0.0], 1)
    assert "equal_groups" not in first.figures


def test_who_is_owed_most_is_served_and_no_one_by_more_than_a_group() -> None:
    trial, served = Trial(100_000), np.zeros(2)
    granted = np.zeros(2)
    for shares in ([0.8, 0.2], [0.1, 0.9], [0.5, 0.5]):
        rounds = trial.interval(shares, 2000)
        granted += np.array(shares) * 2000
        for example in (example for done in rounds for example in done.examples):
            served[example.slot.capability] += example.cost
        assert (served >= granted - 1).all()  # none waits while it is owed something
        assert (served - granted <= trial.dearest).all()
    assert trial.ledger.spent_tokens == served.sum()


def test_a_round_is_as_long_as_it_is_asked_to_be() -> None:
    trial = Trial(100_000, round_tokens=200)
    rounds = trial.interval([0.5, 0.5], 5000)
    written = [sum(example.rollout_tokens for example in done.examples) for done in rounds]
    assert written[0] <= 200  # reckoned at its longest
    assert all(150 <= each <= 260 for each in written[1:-1])  # reckoned at the interval's mean
    assert len(rounds) > 3


def test_every_slot_is_taken_once_and_in_order() -> None:
    trial = Trial(100_000)
    taken = [example.slot for done in trial.interval([0.5, 0.5], 3000) for example in done.examples[::4]]
    fresh = PromptQueue(PromptStreams([Numbers(0), Numbers(1)], 0, HeldOut([])), 2)
    for capability in (0, 1):
        mine = [slot for slot in taken if slot.capability == capability]
        assert mine == fresh.peek(capability, len(mine))
        assert trial.queue.peek(capability, 1) == [fresh.peek(capability, len(mine) + 1)[-1]]


def test_nobody_owed_anything_means_no_round() -> None:
    trial = Trial(1000)
    assert trial.draw() is None
    trial.scheduler.spend(0, 5)
    assert trial.draw() is None
    assert trial.writer.asked == []


def test_a_group_that_might_pass_the_budget_is_not_begun() -> None:
    trial = Trial(1000)
    for budget, rounds in ((trial.dearest - 1, 0), (trial.dearest, 1)):
        assert len(Trial(budget).interval([1.0, 0.0], budget)) == rounds


@settings(deadline=None, max_examples=60)
@given(
    budget=st.integers(1, 3000),
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    group_size=st.integers(1, 5),
    round_tokens=st.integers(1, 300),
    readers=st.integers(0, 2),
)
def test_any_trial_spends_all_that_a_group_fits_into_and_never_more(
    budget: int, shares: list[float], group_size: int, round_tokens: int, readers: int
) -> None:
    trial = Trial(budget, readers=readers, group_size=group_size, round_tokens=round_tokens)
    for interval, share in enumerate(shares):
        trial.interval([share, 1 - share], budget // 4 if interval < 3 else budget - 3 * (budget // 4))
        assert trial.ledger.spent_tokens <= budget
    assert trial.ledger.remaining_tokens < trial.dearest
    assert trial.scheduler.deficits.sum() == trial.ledger.remaining_tokens


def test_a_resumed_trial_draws_the_same_rounds() -> None:
    """Nothing that an interval learned about costs is carried to the next."""
    whole, first = Trial(100_000), Trial(100_000)
    for trial in (whole, first):
        trial.interval([0.3, 0.7], 1500)
    resumed = Trial(100_000)
    resumed.queue.restore(first.queue.state())
    resumed.scheduler, resumed.ledger = Scheduler.from_bytes(first.scheduler.to_bytes()), Ledger.from_bytes(first.ledger.to_bytes())
    assert [each.examples for each in resumed.interval([0.6, 0.4], 1500)] == [each.examples for each in whole.interval([0.6, 0.4], 1500)]
    assert resumed.ledger == whole.ledger
