"""Mean ranks over seeds and suites, by hand."""

import pytest

from readbench.results.leaderboard import leaderboard

ONE = {"a": {0: 0.9, 1: 0.8, 2: 0.7}, "b": {0: 0.5, 1: 0.8, 2: 0.6}, "c": {0: 0.1, 1: 0.2, 2: 0.65}}


def test_ranks_are_averaged_over_seeds_and_equal_ones_share() -> None:
    # seed 0: a b c; seed 1: a and b share 1.5, c 3; seed 2: a, c, b
    board = leaderboard([ONE])
    assert [(place.name, place.rank) for place in board.places] == [
        ("a", pytest.approx(3.5 / 3)),
        ("b", pytest.approx(6.5 / 3)),
        ("c", pytest.approx(8 / 3)),
    ]
    assert board.num_blocks == 3


def test_every_suite_counts_alike_and_only_allocators_in_all_of_them() -> None:
    other = {"b": {7: 0.3}, "a": {7: 0.2}, "d": {7: 0.9}}
    # in ONE, a and b alone: ranks 1, 1.5, 1 and 2, 1.5, 2; in the other 2 and 1
    board = leaderboard([ONE, other])
    assert {place.name: place.rank for place in board.places} == {
        "a": pytest.approx((3.5 / 3 + 2) / 2),
        "b": pytest.approx((5.5 / 3 + 1) / 2),
    }
    assert all(place.interval is None for place in board.places)  # one seed says nothing of its spread


def test_only_seeds_that_all_have_are_ranked() -> None:
    board = leaderboard([{"a": {0: 0.1, 1: 0.9, 5: 0.3}, "b": {1: 0.2, 0: 0.8}}])
    assert board.num_blocks == 2
    assert [place.rank for place in board.places] == [1.5, 1.5]


def test_an_allocator_that_always_wins_has_no_spread_and_the_test_sees_it() -> None:
    utilities = {name: {seed: base + 0.001 * seed for seed in range(8)} for name, base in (("a", 0.9), ("b", 0.5), ("c", 0.1))}
    board = leaderboard([utilities])
    assert [(place.rank, place.interval) for place in board.places] == [(1, (1, 1)), (2, (2, 2)), (3, (3, 3))]
    assert board.p_value is not None
    assert board.p_value < 0.001


def test_the_interval_holds_the_mean_rank_and_is_the_same_each_time() -> None:
    board = leaderboard([ONE])
    assert board == leaderboard([ONE])
    for place in board.places:
        assert place.interval is not None
        assert place.interval[0] <= place.rank <= place.interval[1]


def test_equal_allocators_are_not_tested() -> None:
    assert leaderboard([{name: {0: 0.5, 1: 0.5, 2: 0.5} for name in "abc"}]).p_value is None


@pytest.mark.parametrize("suites", [[], [{"a": {0: 1.0}}, {"b": {0: 1.0}}], [{"a": {0: 1.0}, "b": {1: 1.0}}]])
def test_nothing_in_common_cannot_be_ranked(suites: list[dict[str, dict[int, float]]]) -> None:
    with pytest.raises(ValueError, match=r"no allocator is in every suite|share no seed"):
        leaderboard(suites)
