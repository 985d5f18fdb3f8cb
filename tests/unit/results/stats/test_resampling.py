"""Sign flips and whole-seed bands: equal to scipy, exact where they say so, the same whenever they are asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test, wilcoxon

from readbench.results.stats import is_constant, max_t, sign_flip, whole_seed_band
from readbench.results.stats.resampling import MOST_EXACT, NUM_RANDOM

differences = st.lists(st.integers(-1000, 1000).map(lambda x: x / 1000), min_size=3, max_size=7).filter(lambda d: not is_constant(d))


@given(differences)
def test_max_t_of_one_metric_is_the_sign_flip_test_of_scipy(values: list[float]) -> None:
    expected = permutation_test((np.array(values),), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(values) == pytest.approx(expected)
    assert max_t(np.array(values)[:, None]) == pytest.approx([expected])


def test_p_values_by_hand() -> None:
    """Three seeds, eight patterns: all positive is one of the two most extreme; of 3, 2, −1 four patterns reach |4|."""
    assert sign_flip([0.1, 0.2, 0.3]) == pytest.approx(2 / 8)
    assert max_t(np.array([[3.0], [2.0], [-1.0]])) == pytest.approx([4 / 8])


def test_the_smallest_p_of_n_seeds_is_two_in_two_to_the_n() -> None:
    strong = np.linspace(0.5, 0.6, 8)
    assert sign_flip(strong.tolist()) == pytest.approx(2 / 2**8)
    assert max_t(np.stack([strong, strong[::-1]], axis=1)) == pytest.approx([2 / 2**8] * 2)


def test_up_to_fourteen_seeds_every_pattern_is_tried() -> None:
    strong = np.linspace(0.5, 0.6, 14)
    assert sign_flip(strong.tolist()) == pytest.approx(2 / 2**14)
    assert max_t(strong[:, None]) == pytest.approx([2 / 2**14])


def test_beyond_them_the_observed_pattern_is_one_of_the_twenty_thousand() -> None:
    """Thirty seeds that agree: no random pattern is as extreme, and yet p is not 0."""
    strong = np.linspace(0.5, 0.6, 30)
    assert max_t(np.stack([strong, -strong], axis=1)) == [1 / 20_000, 1 / 20_000]
    assert sign_flip(strong.tolist()) == pytest.approx(2 / 20_000)  # twice the smaller side


def test_max_t_of_two_metrics_by_hand() -> None:
    """Of the eight patterns the larger of the two sums is 6.1 for +++, ++−, −−+ and −−−, else 2.1; as they are, they are 6.1 and 1.9."""
    assert max_t(np.array([[2.0, 2.0], [2.0, 2.0], [2.1, -2.1]])) == pytest.approx([4 / 8, 8 / 8])


@given(st.integers(0, 1000))
def test_max_t_is_never_below_the_single_tests_and_order_does_not_matter(seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(0.3, 1, size=(6, 4))
    adjusted = max_t(matrix)
    assert all(p is not None and p >= max_t(matrix[:, [k]])[0] - 1e-12 for k, p in enumerate(adjusted))  # type: ignore[operator]
    shuffled = np.random.default_rng(seed + 1).permutation(6)
    assert max_t(matrix[shuffled]) == pytest.approx(adjusted)
    assert sign_flip(matrix[shuffled, 0].tolist()) == pytest.approx(sign_flip(matrix[:, 0].tolist()))


def test_metrics_without_spread_take_no_part() -> None:
    values = np.random.default_rng(0).normal(size=(5, 2))
    assert max_t(np.column_stack([values, np.zeros(5), np.full(5, 0.5)])) == [*max_t(values), None, None]
    assert max_t(np.full((5, 2), 0.5)) == [None, None]
    assert sign_flip([0.5, 0.5, 0.5]) is None


def test_beyond_the_exact_range_a_seeded_sample_answers_alike_every_time() -> None:
    values = np.random.default_rng(1).normal(0.4, 1, size=MOST_EXACT + 6)
    first = sign_flip(values.tolist())
    assert first == sign_flip(values.tolist())
    assert max_t(values[:, None]) == max_t(values[:, None])
    assert max_t(values[:, None])[0] == pytest.approx(first, abs=4 * np.sqrt(0.25 / NUM_RANDOM))  # type: ignore[arg-type]
    assert first == pytest.approx(wilcoxon(values).pvalue, abs=0.1)  # another test of the same question


def test_a_band_keeps_the_scores_of_a_seed_together() -> None:
    """Two perfectly opposed scores: their sum has no spread if seeds are resampled whole, and much if scores were."""
    first = np.random.default_rng(2).normal(size=(6, 1))
    low, high = whole_seed_band(lambda both: both.mean(axis=-2).sum(axis=-1), np.hstack([first, -first]))
    assert (low, high) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert whole_seed_band(lambda ours, theirs: (ours - theirs).mean(axis=(-2, -1)), first, first) == (0.0, 0.0)


def test_a_band_is_the_same_every_time() -> None:
    scores = np.random.default_rng(3).normal(size=(5, 3))
    assert whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores) == whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores)


def test_a_band_lies_between_the_percentiles_of_the_resamples() -> None:
    """Of the means of three draws from 0, 0, 1 the shares are 8/27, 12/27, 6/27 and 1/27: 96 % are at most 2/3."""
    scores = np.array([[0.0], [0.0], [1.0]])
    assert whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores) == pytest.approx((0.0, 1.0))
    assert whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores, confidence=0.9) == pytest.approx((0.0, 2 / 3))
    assert whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores, confidence=0.3) == pytest.approx((1 / 3, 1 / 3))
    assert whole_seed_band(lambda s: 1 - s.mean(axis=(-2, -1)), scores, confidence=0.9) == pytest.approx((1 / 3, 1.0))


def test_a_statistic_of_many_numbers_has_a_band_for_each() -> None:
    scores = np.array([[0.0, 0.5, 1.0], [0.0, 0.75, 0.5], [1.0, 0.25, 0.5]])
    low, high = whole_seed_band(lambda s: s.mean(axis=-2), scores)
    each = [whole_seed_band(lambda s: s.mean(axis=(-2, -1)), scores[:, [column]]) for column in range(3)]
    np.testing.assert_allclose(np.transpose([low, high]), each)


def test_every_seed_is_drawn_equally_often_and_whole() -> None:
    resamples = []

    def kept(samples: np.ndarray) -> np.ndarray:
        resamples.append(samples)
        return samples.mean(axis=(-2, -1))

    whole_seed_band(kept, np.eye(5))
    (drawn,) = resamples  # (resamples, seeds, scores): a one for the seed that was drawn
    assert drawn.shape[1:] == (5, 5)
    assert (np.sort(drawn, axis=-1) == [0, 0, 0, 0, 1]).all()
    assert drawn.mean(axis=(0, 1)) == pytest.approx([0.2] * 5, abs=4 * np.sqrt(0.2 * 0.8 / (5 * len(drawn))))
