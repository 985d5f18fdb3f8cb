"""The worked example of docs/metrics.md, number by number."""

import numpy as np
import pytest

from readbench.trials import metrics

REQUIREMENT = np.array([0.5, 0.3, 0.2, 0.0, 0.0])  # math, reasoning, code, facts, words
PROFILES = np.array(
    [
        [0.20, 0.50, 0.10, 0.90, 0.80],
        [0.30, 0.45, 0.10, 0.80, 0.78],
        [0.50, 0.45, 0.06, 0.70, 0.80],
        [0.50, 0.60, 0.15, 0.75, 0.85],
    ]
)
TOKENS = np.array([400, 300, 300])
BUDGET_TOKENS = 1200
GAINS = np.array([0.035, 0.092, 0.063])
DEV_UTILITIES = np.array([0.28, 0.32, 0.40, 0.44])


def test_gains_of_the_intervals() -> None:
    np.testing.assert_allclose(np.diff(PROFILES, axis=0) @ REQUIREMENT, GAINS)


def test_profile_gain() -> None:
    assert metrics.profile_gain(PROFILES[0], PROFILES[-1], REQUIREMENT) == pytest.approx(0.19)


def test_spillover() -> None:
    assert metrics.spillover(PROFILES, REQUIREMENT) == pytest.approx(0.023)
    assert metrics.spillover(PROFILES, REQUIREMENT, top_k=1) == 0.0


def test_collateral() -> None:
    assert metrics.collateral(PROFILES[0], PROFILES[-1], REQUIREMENT) == pytest.approx(0.075)
    everything = np.full(5, 0.2)
    assert metrics.collateral(PROFILES[0], PROFILES[-1], everything) == 0.0


def test_waste() -> None:
    assert metrics.waste(TOKENS, GAINS, np.array([0.04, 0.03, 0.03])) == pytest.approx(0.4)


def test_auc() -> None:
    assert metrics.auc(TOKENS, DEV_UTILITIES, BUDGET_TOKENS) == pytest.approx(442 / 1200)


def test_reward_of_the_second_interval() -> None:
    cost = 0.1 * 300 / BUDGET_TOKENS
    assert metrics.reward(PROFILES[1], PROFILES[2], REQUIREMENT, beta=0.5, cost=cost, top_k=3) == pytest.approx(0.063)
