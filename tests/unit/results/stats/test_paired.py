"""Means and paired differences: against scipy, and where they must stay silent."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from readbench.results.stats import difference_of, differences_by_seed, estimate, is_constant, one_sided_bounds, paired_difference

scores = st.floats(0, 1).map(lambda x: round(x, 6))


def test_estimate_of_nothing_is_nothing() -> None:
    assert estimate([]) is None


def test_one_value_has_no_spread() -> None:
    value = estimate([0.5])
    assert value is not None
    assert (value.mean, value.sd, value.n) == (0.5, None, 1)


@given(st.lists(st.tuples(scores, scores), min_size=3, max_size=12).filter(lambda pairs: len({round(a - b, 9) for a, b in pairs}) > 1))
def test_interval_and_p_value_are_scipy_s(pairs: list[tuple[float, float]]) -> None:
    first, second = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    difference = paired_difference(first, second)
    tested = ttest_rel(list(first.values()), list(second.values()))
    expected = tested.confidence_interval(0.95)
    assert difference is not None
    assert difference.interval == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)
    assert difference.p_value == pytest.approx(tested.pvalue, rel=1e-6, abs=1e-12)
    assert difference.separated == (difference.interval[0] > 0 or difference.interval[1] < 0)


def test_only_shared_seeds_are_paired() -> None:
    difference = paired_difference({0: 1.0, 1: 0.5, 2: 0.75}, {1: 0.25, 2: 0.5, 9: 0.0})
    assert difference is not None
    assert (difference.mean, difference.n, difference.interval, difference.separated) == (0.25, 2, None, False)


def test_no_shared_seed_is_no_difference() -> None:
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_differences_are_in_the_order_of_the_seeds() -> None:
    first, second = {8: 0.5, 33: 0.25, 1: 1.0, 5: 0.0}, {1: 0.5, 33: 0.25, 8: 0.25}
    assert list(differences_by_seed(first, second).items()) == [(1, 0.5), (8, 0.25), (33, 0.0)]


def test_seed_order_does_not_matter() -> None:
    first, second = {0: 0.1, 1: 0.7, 2: 0.3}, {2: 0.2, 1: 0.4, 0: 0.6}
    assert paired_difference(first, second) == paired_difference(dict(reversed(first.items())), second)


@pytest.mark.parametrize("differences", [[0.25], [0.25, 0.5]])
def test_below_three_pairs_there_is_a_mean_and_nothing_else(differences: list[float]) -> None:
    difference = difference_of(differences)
    assert difference is not None
    assert difference.mean == pytest.approx(sum(differences) / len(differences))
    assert (difference.interval, difference.p_value, difference.effect_size, difference.separated) == (None, None, None, False)


def test_equal_differences_are_compared_exactly() -> None:
    """0.7 − 0.6 and 0.6 − 0.5 are not the same double: rounding is no spread, and a t of 1e15 no evidence."""
    difference = paired_difference({0: 0.7, 1: 0.6, 2: 0.5}, {0: 0.6, 1: 0.5, 2: 0.4})
    assert difference is not None
    assert (difference.constant, difference.sd, difference.n) == (True, 0.0, 3)
    assert difference.interval == pytest.approx((0.1, 0.1))
    assert (difference.p_value, difference.effect_size, difference.separated) == (None, None, True)


def test_identical_results_are_not_separated() -> None:
    difference = paired_difference({0: 0.1, 1: 0.7, 2: 0.3}, {0: 0.1, 1: 0.7, 2: 0.3})
    assert difference is not None
    assert (difference.mean, difference.interval, difference.p_value, difference.separated) == (0.0, (0.0, 0.0), None, False)


@pytest.mark.parametrize(
    ("differences", "constant"),
    [
        ([0.5], True),
        ([0.0, 1e-12], True),  # docs/statistics.md: what lies within 1e-12 is equal
        ([0.0, 1.5e-12], False),
        ([1e-13, 9e-13, 5e-13], True),  # also of differences that are smaller still: scores are of the order of 1
        ([1e6, 1e6 + 1e-7], True),  # of larger ones it is relative to the largest
        ([-1e6, -1e6 - 1e-7], True),
        ([1e6, 1e6 + 1e-5], False),
        ([-0.5, 0.5], False),
    ],
)
def test_rounding_is_no_spread(differences: list[float], constant: bool) -> None:
    assert is_constant(differences) is constant


def test_two_equal_differences_are_constant_and_two_that_differ_are_not() -> None:
    for differences, constant in (([0.25, 0.25], True), ([0.25, 0.5], False)):
        difference = difference_of(differences)
        assert difference is not None
        assert difference.constant is constant


def test_an_interval_that_touches_zero_is_not_separated() -> None:
    difference = difference_of([0.1, 0.2, 0.4])
    assert difference is not None
    for interval, separated in (((0.0, 0.1), False), ((-0.1, 0.0), False), ((1e-9, 0.1), True), ((-0.1, -1e-9), True)):
        assert replace(difference, interval=interval).separated is separated


def test_mean_spread_and_effect_by_hand() -> None:
    """Of 1, 2, 3 and 6: mean 3, squared deviations 4 + 1 + 0 + 9 over n − 1."""
    value, difference = estimate([1.0, 2.0, 3.0, 6.0]), difference_of([1.0, 2.0, 3.0, 6.0])
    assert value is not None
    assert difference is not None
    assert (value.mean, value.sd, value.n) == (3.0, pytest.approx(math.sqrt(14 / 3)), 4)
    assert (difference.mean, difference.sd, difference.n, difference.constant) == (3.0, value.sd, 4, False)
    assert difference.effect_size == pytest.approx(3 / math.sqrt(14 / 3))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        difference_of([0.1, bad, 0.2])


@given(st.lists(scores, min_size=2, max_size=12).filter(lambda values: not is_constant(values)))
def test_one_sided_bounds_are_those_of_scipy_s_one_sided_tests(differences: list[float]) -> None:
    tests = [ttest_rel(differences, [0.0] * len(differences), alternative=side).confidence_interval(0.95) for side in ("greater", "less")]
    assert one_sided_bounds(differences) == pytest.approx((tests[0].low, tests[1].high), rel=1e-6, abs=1e-9)


def test_one_sided_bounds_need_two() -> None:
    with pytest.raises(ValueError, match="at least two"):
        one_sided_bounds([0.5])
    with pytest.raises(ValueError, match="at least two"):
        one_sided_bounds([])
    assert one_sided_bounds([0.5, 0.5]) == (0.5, 0.5)


def test_together_the_one_sided_bounds_are_an_interval_of_less_confidence() -> None:
    differences = [0.1, 0.3, 0.2, 0.6]
    difference = difference_of(differences)
    assert difference is not None
    assert one_sided_bounds(differences, confidence=0.975) == pytest.approx(difference.interval)
