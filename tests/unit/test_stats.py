"""Means and paired differences: against scipy, and where they must stay silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from readbench.stats import estimate, paired_difference

scores = st.floats(0, 1).map(lambda x: round(x, 6))


def test_estimate_of_nothing_is_nothing() -> None:
    assert estimate([]) is None


def test_one_value_has_no_spread() -> None:
    value = estimate([0.5])
    assert value is not None
    assert (value.mean, value.sd, value.n) == (0.5, None, 1)


@given(st.lists(st.tuples(scores, scores), min_size=3, max_size=12).filter(lambda pairs: len({round(a - b, 9) for a, b in pairs}) > 1))
def test_interval_is_scipys(pairs: list[tuple[float, float]]) -> None:
    first, second = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    difference = paired_difference(first, second)
    expected = ttest_rel(list(first.values()), list(second.values())).confidence_interval(0.95)
    assert difference is not None
    assert difference.interval == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)
    assert difference.separated == (difference.interval[0] > 0 or difference.interval[1] < 0)


def test_only_shared_seeds_are_paired() -> None:
    difference = paired_difference({0: 1.0, 1: 0.5, 2: 0.75}, {1: 0.25, 2: 0.5, 9: 0.0})
    assert difference is not None
    assert (difference.mean, difference.n, difference.interval, difference.separated) == (0.25, 2, None, False)


def test_no_shared_seed_is_no_difference() -> None:
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_seed_order_does_not_matter() -> None:
    first, second = {0: 0.1, 1: 0.7, 2: 0.3}, {2: 0.2, 1: 0.4, 0: 0.6}
    assert paired_difference(first, second) == paired_difference(dict(reversed(first.items())), second)
