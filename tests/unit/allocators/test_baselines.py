"""The baselines' formulas, by hand and over random problems."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench.api import Observation, Problem
from readbench_baselines.fixed import fixed
from readbench_baselines.gap import gap
from readbench_baselines.one_hot import one_hot
from readbench_baselines.per_capability import per_capability
from readbench_baselines.random_shares import random_shares
from readbench_baselines.sparse_mix import sparse_mix
from readbench_baselines.task_static import task_static
from readbench_baselines.uniform import uniform


def problem(requirement: Sequence[float], *, teacher: Sequence[float] | None = None, num_intervals: int = 4) -> Problem:
    return Problem(
        capabilities=tuple(f"c{i}" for i in range(len(requirement))),
        requirement=np.array(requirement),
        teacher_profile=None if teacher is None else np.array(teacher),
        budget_tokens=1000,
        num_intervals=num_intervals,
    )


def observe(profile: Sequence[float], *, interval: int = 0, budget_left: float = 1.0) -> Observation:
    return Observation(interval=interval, profile=np.array(profile), budget_left=budget_left)


def test_uniform_gives_equal_shares_whatever_the_requirement() -> None:
    assert uniform(problem([1.0, 0, 0, 0]), 0).propose(observe([0.1, 0.2, 0.3, 0.4])).tolist() == [0.25] * 4


def test_task_static_gives_the_requirement() -> None:
    assert task_static(problem([0.5, 0.3, 0.2, 0.0]), 0).propose(observe([0.9, 0, 0, 0])).tolist() == [0.5, 0.3, 0.2, 0.0]


def test_one_hot_gives_all_to_the_most_needed_and_to_the_first_of_a_tie() -> None:
    assert one_hot(problem([0.2, 0.5, 0.3]), 0).propose(observe([0, 0, 0])).tolist() == [0, 1, 0]
    assert one_hot(problem([0.2, 0.4, 0.4]), 0).propose(observe([0, 0, 0])).tolist() == [0, 1, 0]


def test_per_capability_splits_the_interval_that_straddles_a_boundary() -> None:
    # 4 intervals of a quarter; the most needed (0.6) first: [0, .6], then [.6, 1] of the other.
    rule = per_capability(problem([0.4, 0.0, 0.6]), 0)
    proposals = np.stack([rule.propose(observe([0, 0, 0], interval=t, budget_left=1 - t / 4)) for t in range(4)])
    np.testing.assert_allclose(proposals, np.array([[0, 0, 1], [0, 0, 1], [0.6, 0, 0.4], [1, 0, 0]]), atol=1e-12)


def test_per_capability_ends_on_the_last_required_capability() -> None:
    rule = per_capability(problem([0.7, 0.3, 0.0]), 0)
    for interval in (3, 4, 9):
        assert rule.propose(observe([0, 0, 0], interval=interval, budget_left=0.0)).tolist() == [0, 1, 0]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12).filter(lambda weights: sum(weights) > 0.01), st.integers(1, 30))
def test_per_capability_spends_exactly_the_requirement_over_the_budget(weights: list[float], num_intervals: int) -> None:
    requirement = np.array(weights) / np.sum(weights)
    rule = per_capability(problem(requirement.tolist(), num_intervals=num_intervals), 0)
    proposals = [
        rule.propose(observe(requirement.tolist(), interval=interval, budget_left=1 - interval / num_intervals))
        for interval in range(num_intervals)
    ]
    np.testing.assert_allclose(np.mean(proposals, axis=0), requirement, atol=1e-9)
    assert np.all(np.array(proposals)[:, requirement == 0.0] == 0.0)


@given(st.integers(1, 10), st.floats(0.0, 1.0))
def test_per_capability_follows_what_was_charged_not_the_interval(interval: int, budget_left: float) -> None:
    rule = per_capability(problem([0.5, 0.3, 0.2], num_intervals=10), 0)
    proposal = rule.propose(observe([0, 0, 0], interval=interval, budget_left=budget_left))
    start = 1.0 - budget_left
    stop = start + budget_left / max(10 - interval, 1)
    assert proposal[0] == 0.0 or start < 0.5
    assert proposal[1] == 0.0 or (start < 0.8 and stop > 0.5)
    assert proposal[2] == 0.0 or stop > 0.8


def test_random_draws_anew_in_each_interval_and_for_each_seed() -> None:
    drawn = {
        random_shares(problem([0.5, 0.5, 0.0]), seed).propose(observe([0, 0, 0], interval=interval)).tobytes()
        for seed in range(10)
        for interval in range(10)
    }
    assert len(drawn) == 100


def test_random_is_uniform_on_the_simplex() -> None:
    # Dirichlet(1, 1, 1): mean 1/3, variance (K - 1) / (K² (K + 1)) = 1/18, so 0.0037 is the standard error of 4000 draws.
    rule = random_shares(problem([1.0, 0.0, 0.0]), 7)
    shares = np.array([rule.propose(observe([0, 0, 0], interval=t)) for t in range(4000)])
    np.testing.assert_allclose(shares.mean(axis=0), 1 / 3, atol=0.015)
    np.testing.assert_allclose(shares.var(axis=0), 1 / 18, atol=0.005)


def test_gap_weighs_the_room_to_grow_by_the_requirement() -> None:
    # rooms .8, .4, .9 times r .5, .5, 0 = .4, .2, 0 -> focus 2/3, 1/3, 0; 10 % of uniform replay on top
    allocation = gap(problem([0.5, 0.5, 0.0], teacher=[0.9, 0.9, 0.9]), 0, floor=0.1).propose(observe([0.1, 0.5, 0.0]))
    np.testing.assert_allclose(allocation, [0.6 + 0.1 / 3, 0.3 + 0.1 / 3, 0.1 / 3])


def test_gap_takes_an_unmeasured_teacher_for_perfect() -> None:
    allocation = gap(problem([0.5, 0.5]), 0, floor=0.0).propose(observe([0.25, 0.75]))
    np.testing.assert_allclose(allocation, [0.75, 0.25])


def test_gap_falls_back_to_the_requirement_where_the_student_has_caught_up() -> None:
    allocation = gap(problem([0.7, 0.3], teacher=[0.5, 0.5]), 0, floor=0.0).propose(observe([0.5, 0.9]))
    np.testing.assert_allclose(allocation, [0.7, 0.3])


@pytest.mark.parametrize("floor", [-0.1, 1.1, float("nan")])
def test_gap_refuses_a_floor_that_is_no_share(floor: float) -> None:
    with pytest.raises(ValueError, match="floor"):
        gap(problem([1.0]), 0, floor=floor)


def test_fixed_gives_the_mix_of_the_user_and_without_one_the_requirement() -> None:
    known = problem([0.5, 0.5, 0.0])
    assert fixed(known, 0, mix="c2:3, c0:1").propose(observe([0, 0, 0])).tolist() == [0.25, 0.0, 0.75]
    assert fixed(known, 0).propose(observe([0, 0, 0])).tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("c9:1", "'c9:1' is not of the form capability:weight with one of c0, c1"),
        ("c0", "'c0' is not of the form capability:weight"),
        ("c0:much", "the weight of c0 is 'much', not a number of 0 or more"),
        ("c0:-1", "the weight of c0 is '-1'"),
        ("c0:nan", "the weight of c0 is 'nan'"),
        ("c0:0,c1:0", "has no weight above 0"),
    ],
)
def test_fixed_refuses_what_is_no_mix(mix: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fixed(problem([0.5, 0.5]), 0, mix=mix)


def test_sparse_mix_is_one_random_mix_over_one_to_four_capabilities() -> None:
    known = problem([0.25] * 4 + [0.0] * 4)
    sizes = []
    for seed in range(200):
        rule = sparse_mix(known, seed)
        first = rule.propose(observe([0.0] * 8))
        assert first.sum() == pytest.approx(1)
        assert first.tolist() == rule.propose(observe([0.5] * 8, interval=3)).tolist()
        sizes.append(np.count_nonzero(first))
    assert set(sizes) == {1, 2, 3, 4}
    assert np.count_nonzero(sparse_mix(problem([0.5, 0.5]), 0).propose(observe([0, 0]))) <= 2
    with pytest.raises(ValueError, match="8 bytes"):
        sparse_mix(known, 0).restore(b"")
