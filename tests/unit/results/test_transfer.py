"""The transfer estimator finds a known matrix in simulated trials, and says what it cannot know."""

import numpy as np
import numpy.typing as npt
import pytest

from readbench.results.transfer.observed import PER_TOKENS, estimate_transfer, transfer
from support.results import parsed

K, SEEDS, TRIALS, INTERVALS = 4, 6, 5, 12
TRUE = np.diag([0.08, 0.05, 0.03, 0.02])
TRUE[0, 3], TRUE[1, 0] = -0.03, 0.02  # training 0 harms 3, training 1 helps 0


def simulate(rng: np.random.Generator, noise: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    shares = rng.dirichlet(np.full(K, 0.7), size=SEEDS * TRIALS * INTERVALS)
    tokens = shares * rng.uniform(8_000, 12_000, size=(len(shares), 1))
    change = tokens / PER_TOKENS @ TRUE + rng.normal(0, noise, size=tokens.shape)
    return tokens, change, np.repeat(np.arange(SEEDS), TRIALS * INTERVALS)


def test_without_noise_the_matrix_is_found_exactly() -> None:
    effect, low, high = estimate_transfer(*simulate(np.random.default_rng(0), 0.0))
    np.testing.assert_allclose(effect, TRUE, atol=1e-12)
    np.testing.assert_allclose(high - low, 0, atol=1e-12)


def test_with_noise_the_real_effects_are_seen_and_few_others() -> None:
    effect, low, high = estimate_transfer(*simulate(np.random.default_rng(1), 0.01))
    seen = (low > 0) | (high < 0)
    assert seen[TRUE != 0].all()
    assert (np.sign(effect) == np.sign(TRUE))[TRUE != 0].all()
    assert seen[TRUE == 0].sum() <= 2


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(60):
        _, low, high = estimate_transfer(*simulate(rng, 0.02))
        held.append((low <= TRUE) & (high >= TRUE))
    assert 0.92 <= np.mean(held) <= 0.99


def test_intervals_widen_where_a_whole_seed_is_off() -> None:
    tokens, change, seeds = simulate(np.random.default_rng(3), 0.01)
    _, low, high = estimate_transfer(tokens, change, seeds)
    shifted = change + np.where(seeds == 0, 0.05, 0.0)[:, None]
    _, low_shifted, high_shifted = estimate_transfer(tokens, shifted, seeds)
    assert np.mean(high_shifted - low_shifted) > 2 * np.mean(high - low)


def test_a_capability_that_was_never_trained_has_no_estimate_and_the_others_keep_theirs() -> None:
    tokens, change, seeds = simulate(np.random.default_rng(4), 0.0)
    without = tokens.copy()
    without[:, 2] = 0.0
    effect, low, _ = estimate_transfer(without, change - tokens[:, 2:3] / PER_TOKENS * TRUE[2], seeds)
    assert np.isnan(effect[2]).all()
    assert np.isnan(low[2]).all()
    np.testing.assert_allclose(effect[[0, 1, 3]], TRUE[[0, 1, 3]], atol=1e-12)


def test_capabilities_always_trained_together_cannot_be_told_apart() -> None:
    tokens, change, seeds = simulate(np.random.default_rng(5), 0.0)
    tokens[:, 1] = 2 * tokens[:, 0]
    effect, _, _ = estimate_transfer(tokens, change, seeds)
    assert np.isnan(effect[:2]).all()
    assert not np.isnan(effect[2:]).any()


def test_a_capability_trained_in_one_seed_only_has_no_estimate() -> None:
    tokens, change, seeds = simulate(np.random.default_rng(6), 0.01)
    tokens[seeds != 0, 3] = 0.0
    effect, _, _ = estimate_transfer(tokens, change, seeds)
    assert np.isnan(effect[3]).all()


def test_below_three_seeds_there_is_an_estimate_but_no_interval() -> None:
    tokens, change, seeds = simulate(np.random.default_rng(7), 0.01)
    effect, low, high = estimate_transfer(tokens, change, seeds % 2)
    assert not np.isnan(effect).any()
    assert np.isnan(low).all()
    assert np.isnan(high).all()


@pytest.fixture
def two_interval_document() -> dict[str, object]:
    def interval(share: float, profile: float) -> dict[str, object]:
        tokens = {"generated": 2_000, "trained": 8_000}
        return {"tokens": tokens, "allocation": {"a": share, "b": 1 - share}, "profile": {"a": profile, "b": 0.5}}

    trial = {
        "status": "complete",
        "seed": 0,
        "profile": {"before": {"a": 0.1, "b": 0.5}},
        "intervals": [interval(1.0, 0.3), interval(0.0, 0.25)],
    }
    return {"trials": [trial, {"status": "failed", "seed": 1, "profile": None, "intervals": []}]}


def test_a_documents_changes_are_taken_from_before_to_after_each_interval(two_interval_document: dict[str, object]) -> None:
    found = transfer(parsed(two_interval_document), capabilities=("a", "b"))
    np.testing.assert_allclose(found.effect, [[0.2, 0.0], [-0.05, 0.0]], atol=1e-12)
    assert (found.num_seeds, found.num_intervals) == (1, 2)
    assert not found.seen.any()
