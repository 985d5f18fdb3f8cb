"""ReAD's candidates, inputs and schedule, by hand; what it does in a trial is in test_read.py."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from readbench.allocators import read as module
from readbench.allocators.mixes import distinct, fixed_candidates, perturbations, top_required, warmup_plan
from readbench.allocators.read import greedy, read, read_cold
from readbench.api import Feedback, Observation, Problem
from readbench.base.errors import ConfigError

Doubles = npt.NDArray[np.float64]
REQUIREMENT = np.array([0.25, 0.0, 0.75])


def problem(requirement: Doubles = REQUIREMENT, *, num_intervals: int = 12) -> Problem:
    names = tuple(f"c{i}" for i in range(len(requirement)))
    return Problem(capabilities=names, requirement=requirement, teacher_profile=None, budget_tokens=1200, num_intervals=num_intervals)


def feedback(interval: int, allocation: Sequence[float], *, before: Sequence[float], after: Sequence[float], tokens: int = 100) -> Feedback:
    return Feedback(
        interval=interval,
        allocation=np.array(allocation),
        tokens=tokens,
        profile_before=np.array(before),
        profile_after=np.array(after),
        train_loss=np.full(len(allocation), np.nan),
        reward=0.125,
    )


def observation(interval: int, profile: Sequence[float], *recent: Feedback, budget_left: float = 0.5) -> Observation:
    return Observation(interval=interval, profile=np.array(profile), budget_left=budget_left, recent=recent)


class Bandit:
    """Keeps what it is asked and told, and takes the row that it was given."""

    made: ClassVar["list[Bandit]"]
    choice = 0

    def __init__(self, num_inputs: int, **settings: Any) -> None:
        self.settings = {"num_inputs": num_inputs, **settings}
        self.asked: list[tuple[Doubles, float]] = []
        self.told: list[tuple[Doubles, float]] = []
        self.made.append(self)

    def select(self, candidates: Doubles, kappa: float) -> int:
        self.asked.append((candidates, kappa))
        return self.choice

    def add(self, inputs: Doubles, reward: float) -> None:
        self.told.append((inputs, reward))


@pytest.fixture
def bandits(monkeypatch: pytest.MonkeyPatch) -> list[Bandit]:
    made: list[Bandit] = []
    monkeypatch.setattr(Bandit, "made", made, raising=False)
    monkeypatch.setattr(module, "EnsembleBandit", Bandit)
    return made


def test_the_required_are_ranked_by_need_and_ties_by_their_place() -> None:
    assert top_required(np.array([0.2, 0.0, 0.4, 0.2, 0.2]), 8) == [2, 0, 3, 4]
    alternating = np.tile([1.0, 2.0], 32) / 96  # so many that a sort has to keep the order on purpose
    assert top_required(alternating, 8) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert top_required(alternating, 40)[32:] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_the_fixed_candidates_are_r_uniform_and_the_mixes_in_quarters() -> None:
    np.testing.assert_array_equal(
        fixed_candidates(REQUIREMENT, 3),
        [
            [0.25, 0.0, 0.75],  # r, which is also the mix of three quarters and one
            [1 / 3, 1 / 3, 1 / 3],
            [0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0],
            [0.75, 0.0, 0.25],
            [0.5, 0.0, 0.5],
        ],
    )


def test_of_four_required_no_more_than_three_are_mixed() -> None:
    mixes = fixed_candidates(np.array([0.4, 0.3, 0.2, 0.1]), 4)[2:]
    assert (np.count_nonzero(mixes, axis=1) <= 3).all()
    assert len(mixes) == 4 + 6 * 3 + 4 * 3
    assert set(np.unique(mixes)) == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_perturbations_move_a_tenth_or_what_is_there_and_mix_in_a_tenth_or_a_fifth_of_everything() -> None:
    previous = np.array([0.0625, 0.1875, 0.75])
    np.testing.assert_allclose(
        perturbations(previous, REQUIREMENT, 3),
        [
            previous,
            [0.1625, 0.1875, 0.65],  # from the most needed to the other one
            [0.0, 0.1875, 0.8125],  # back, where there is no tenth to move
            [0.9 * 0.0625 + 0.1 / 3, 0.9 * 0.1875 + 0.1 / 3, 0.9 * 0.75 + 0.1 / 3],
            [0.8 * 0.0625 + 0.2 / 3, 0.8 * 0.1875 + 0.2 / 3, 0.8 * 0.75 + 0.2 / 3],
        ],
        rtol=1e-15,
    )
    assert previous.tolist() == [0.0625, 0.1875, 0.75]


def test_rows_that_are_equal_to_nine_digits_are_one_and_the_first_stands_for_it() -> None:
    rows = np.array([[2.0, 2.0], [1.0, 0.0], [0.5, 0.5], [0.5 + 2e-10, 0.5 - 2e-10], [0.5 + 1e-7, 0.5 - 1e-7], [0.0, 3.0]])
    np.testing.assert_array_equal(distinct(rows), [[0.5, 0.5], [1.0, 0.0], [0.5 + 1e-7, 0.5 - 1e-7], [0.0, 1.0]])
    assert distinct(rows).flags.c_contiguous


def test_the_warm_up_leans_to_each_of_the_top_ones_in_turn() -> None:
    """0.5 for the one, 0.25 for each of the next two; of two required ones the next but one is the one itself."""
    np.testing.assert_array_equal(warmup_plan(REQUIREMENT, 3, 2, seed=0), [[0.25, 0.0, 0.75], [0.75, 0.0, 0.25]])
    four = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(warmup_plan(four, 3, 4, seed=0)[1:], [[0, 0.25, 0.25, 0.5], [0, 0.25, 0.5, 0.25], [0, 0.5, 0.25, 0.25]])


def test_a_warm_up_longer_than_there_are_mixes_begins_again() -> None:
    plan = warmup_plan(REQUIREMENT, 3, 14, seed=0)
    candidates = {tuple(row) for row in fixed_candidates(REQUIREMENT, 3)}
    assert {tuple(row) for row in plan[:6]} == candidates
    np.testing.assert_array_equal(plan[6:12], plan[:6])
    np.testing.assert_array_equal(plan[12:], plan[:2])


@pytest.mark.parametrize(("num_intervals", "warmup", "length"), [(12, 0, 3), (15, 0, 3), (16, 0, 4), (3, 0, 1), (12, 5, 5), (12, 1, 1)])
def test_a_warm_up_is_a_quarter_of_the_trial_unless_it_is_told_otherwise(num_intervals: int, warmup: int, length: int) -> None:
    state = json.loads(read(problem(num_intervals=num_intervals), 0, warmup=warmup).state())
    assert len(state["warmup"]) == length


def test_the_plan_comes_first_and_then_the_bandit_is_asked(bandits: list[Bandit]) -> None:
    allocator = read(problem(), 7, warmup=5)
    proposals = [allocator.propose(observation(interval, [0.5] * 3)) for interval in range(5)]
    np.testing.assert_array_equal(proposals, warmup_plan(REQUIREMENT, 3, 5, 7))
    assert bandits[0].asked == []
    allocator.propose(observation(5, [0.5] * 3))
    assert len(bandits[0].asked) == 1


def test_the_bandit_has_five_inputs_a_capability_and_one_and_the_trial_s_seed(bandits: list[Bandit]) -> None:
    read(problem(), 7, num_members=9)
    greedy(problem(), 8)
    assert [bandit.settings for bandit in bandits] == [
        {"num_inputs": 16, "seed": 7, "num_members": 9},
        {"num_inputs": 16, "seed": 8, "num_members": 5},
    ]


def test_the_bandit_is_asked_with_the_context_beside_each_candidate(bandits: list[Bandit], monkeypatch: pytest.MonkeyPatch) -> None:
    """x = [r; s; budget left; last allocation; (1 + last Δs) / 2], then the mix."""
    monkeypatch.setattr(Bandit, "choice", 3)
    allocator = read(problem(), 0, warmup=1, kappa=2.5)
    last = feedback(2, [0.5, 0.25, 0.25], before=[0.5, 0.25, 0.75], after=[0.25, 0.5, 0.75])
    proposal = allocator.propose(observation(3, [0.25, 0.5, 0.75], last, budget_left=0.375))
    ((rows, kappa),) = bandits[0].asked
    context = [0.25, 0.0, 0.75, 0.25, 0.5, 0.75, 0.375, 0.5, 0.25, 0.25, 0.375, 0.625, 0.5]
    expected = distinct(np.concatenate([fixed_candidates(REQUIREMENT, 3), perturbations(last.allocation, REQUIREMENT, 3)]))
    np.testing.assert_array_equal(rows[:, :13], [context] * len(expected))
    np.testing.assert_array_equal(rows[:, 13:], expected)
    assert kappa == 2.5
    np.testing.assert_array_equal(proposal, expected[3])


def test_candidates_move_about_the_last_interval_that_bought_something(bandits: list[Bandit]) -> None:
    allocator = read(problem(), 0, warmup=1)
    bought = feedback(1, [0.0, 0.875, 0.125], before=[0.5] * 3, after=[0.5] * 3)
    earlier = feedback(0, [0.5, 0.5, 0.0], before=[0.5] * 3, after=[0.5] * 3)
    nothing = feedback(2, [0.0, 0.0, 0.0], before=[0.5] * 3, after=[0.5] * 3, tokens=0)
    allocator.propose(observation(3, [0.5] * 3, earlier, bought, nothing))
    allocator.propose(observation(3, [0.5] * 3, nothing))
    (first, _), (second, _) = bandits[0].asked
    assert [0.0, 0.875, 0.125] in first[:, 13:].tolist()
    assert [0.5, 0.5, 0.0] not in first[:, 13:].tolist()
    assert first[0, 7:10].tolist() == [0.0, 0.0, 0.0]  # the context says what the last one was
    moved = perturbations(REQUIREMENT, REQUIREMENT, 3)  # none has bought anything: about r, which stands among the fixed ones too
    assert all(any(np.allclose(row, mix) for mix in second[:, 13:]) for row in moved)
    assert len(distinct(second[:, 13:])) == len(second)


def test_the_bandit_learns_the_context_before_with_the_realised_mix_and_the_reward(bandits: list[Bandit]) -> None:
    allocator = read(problem(), 0)
    allocator.propose(observation(0, [0.25, 0.5, 0.75], budget_left=1.0))
    allocator.update(feedback(0, [0.5, 0.125, 0.375], before=[0.25, 0.5, 0.75], after=[0.5, 0.5, 0.5]))
    ((inputs, reward),) = bandits[0].told
    nothing_before = [0.0, 0.0, 0.0, 0.5, 0.5, 0.5]
    assert inputs.tolist() == [0.25, 0.0, 0.75, 0.25, 0.5, 0.75, 1.0, *nothing_before, 0.5, 0.125, 0.375]
    assert reward == 0.125


def test_a_proposal_may_be_written_to(bandits: list[Bandit]) -> None:
    allocator = read(problem(), 0, warmup=1)
    for interval in (0, 1):
        shown = observation(interval, [0.5] * 3)
        first = allocator.propose(shown)
        kept = first.copy()
        first[:] = 0.0
        np.testing.assert_array_equal(allocator.propose(shown), kept)


def kappas(gains: Sequence[float], **params: float) -> list[float]:
    """κ after each interval of one capability whose score begins at 0, as the next proposal uses it."""
    allocator, score, seen = read(problem(np.ones(1)), 0, **params), 0.0, []  # type: ignore[arg-type]
    allocator.propose(observation(0, [score]))
    for interval, gain in enumerate(gains):
        allocator.update(feedback(interval, [1.0], before=[score], after=[score + gain]))
        score += gain
        for _ in range(2):  # asked again, it looks at a checkpoint once
            allocator.propose(observation(interval + 1, [score]))
        seen.append(json.loads(allocator.state())["kappa"])
    return seen


def test_kappa_follows_the_dev_utility_where_it_is_shown_and_read_cold_does_not() -> None:
    def after(make: Any, utilities: Sequence[float | None]) -> float:
        allocator = make(problem(np.ones(1)), 0)
        for interval, utility in enumerate(utilities):
            allocator.propose(replace(observation(interval, [0.1 * interval]), dev_utility=utility))  # r·s rises all the time
            allocator.update(feedback(interval, [1.0], before=[0.1 * interval], after=[0.1 * (interval + 1)]))
        return float(json.loads(allocator.state())["kappa"])

    assert after(read, [0.2, None, 0.2, None, 0.3]) == 0.7
    assert after(read, [0.2, 0.2049, 0.2049, 0.2]) == pytest.approx(0.7**3)
    assert after(read, [None] * 5) == 1.0
    assert after(read_cold, [0.2, 0.2, 0.2, 0.2, 0.2]) == 1.0


def test_kappa_shrinks_at_every_third_interval_without_a_gain_of_half_a_percent() -> None:
    assert kappas([0.0] * 6) == [1.0, 1.0, 0.7, 0.7, 0.7, 0.7 * 0.7]
    assert kappas([0.0, 0.0, 0.005]) == [1.0, 1.0, 1.0]
    assert kappas([0.0, 0.0, 0.0049]) == [1.0, 1.0, 0.7]
    assert kappas([0.125, 0.0, 0.0, 0.0, 0.0, 0.0]) == [1.0] * 5 + [0.7]  # a gain counts once, from its own checkpoint
    assert kappas([0.0, 0.0], kappa=4.0, kappa_decay=0.25, checkpoint=1) == [1.0, 0.25]


@pytest.mark.parametrize(
    ("name", "least", "most", "beyond"),
    [
        ("kappa", 0.0, 100.0, (-1e-9, 100.5)),
        ("kappa_decay", 0.0, 1.0, (-1e-9, 1.0 + 1e-9)),
        ("top_k", 1, 8, (0, 9)),
        ("checkpoint", 1, 1000, (0, 1001)),
        ("num_members", 2, 64, (1, 65)),
    ],
)
def test_a_setting_may_be_the_least_and_the_most_and_nothing_beyond(
    name: str, least: float, most: float, beyond: tuple[float, float]
) -> None:
    for value in (least, most):
        read(problem(), 0, **{name: value})  # type: ignore[arg-type]
    for value in beyond:
        with pytest.raises(ConfigError, match=f"^{name} must be between {least} and {most}, got {value}"):
            read(problem(), 0, **{name: value})  # type: ignore[arg-type]


def test_a_warm_up_is_less_than_half_of_the_trial() -> None:
    with pytest.raises(ConfigError, match="warmup must be at least 1 and less than half of the 12 intervals, got 6; use more intervals"):
        read(problem(), 0, warmup=6)
    read(problem(num_intervals=13), 0, warmup=6)


def test_unless_told_otherwise_it_is_as_the_method_says() -> None:
    """κ = 1, decayed by 0.7 every three intervals; mixes of the top three; a quarter of the trial as warm-up; five members."""
    task = problem(np.full(5, 0.2), num_intervals=60)
    told = read(task, 7, kappa=1.0, kappa_decay=0.7, top_k=3, warmup=15, checkpoint=3, num_members=5)
    assert read(task, 7).state() == told.state()
    assert greedy(task, 7).state() == read(task, 7, kappa=0.0, top_k=3, warmup=15, num_members=5).state()


def test_what_is_not_finite_is_not_handed_out_as_a_state() -> None:
    allocator = read(problem(), 0)
    allocator.propose(observation(0, [np.nan] * 3))
    with pytest.raises(ValueError, match="JSON"):
        allocator.state()


@pytest.mark.parametrize(("ours", "theirs"), [(3, 2), (3, 4)])
def test_a_state_of_another_warm_up_is_refused(ours: int, theirs: int) -> None:
    with pytest.raises(ValueError, match="it belongs to another warm-up"):
        read(problem(), 0, warmup=ours).restore(read(problem(), 0, warmup=theirs).state())


def test_a_state_of_another_number_of_capabilities_is_refused() -> None:
    allocator = read(problem(), 0)
    for other in (np.full(2, 0.5), np.full(4, 0.25)):
        with pytest.raises(ValueError, match="it belongs to another number of capabilities"):
            allocator.restore(read(problem(other), 0).state())
    fields = json.loads(allocator.state())
    for size in (12, 14):
        with pytest.raises(ValueError, match="it belongs to another number of capabilities"):
            allocator.restore(json.dumps({**fields, "context": [0.5] * size}).encode())


def test_a_bandit_that_is_not_strictly_base64_is_refused() -> None:
    allocator = read(problem(), 0)
    fields = json.loads(allocator.state())
    with pytest.raises(ValueError, match="not a state of this allocator"):
        allocator.restore(json.dumps({**fields, "bandit": f"!{fields['bandit']}"}).encode())


def test_a_pilot_trial_is_logged_as_the_trial_itself_logged_it(bandits: list[Bandit]) -> None:
    steps = [([0.5, 0.0, 0.5], 100), ([0.0, 0.0, 0.0], 0), ([1.0, 0.0, 0.0], 300), ([0.0, 1.0, 0.0], 100)]
    scores = np.linspace(0.1, 0.5, 5)[:, np.newaxis] * np.ones(3)
    trial = tuple(
        feedback(t, mix, before=scores[t].tolist(), after=scores[t + 1].tolist(), tokens=tokens) for t, (mix, tokens) in enumerate(steps)
    )
    live, spent = read_cold(problem(), 0), 0
    for t, seen in enumerate(trial):
        live.propose(observation(t, scores[t].tolist(), *trial[:t], budget_left=1.0 - spent / 1200))
        live.update(seen)
        spent += seen.tokens
    read(replace(problem(), profiling=(trial,)), 0)
    logged, again = (bandit.told for bandit in bandits)
    assert len(again) == len(logged) == 3  # an interval that bought nothing is not logged
    for (row, reward), (row_again, reward_again) in zip(logged, again, strict=True):
        np.testing.assert_array_equal(row, row_again)
        assert reward == reward_again
