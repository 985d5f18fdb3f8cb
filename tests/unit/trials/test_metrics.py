"""Bounds and invariances of the metrics over random trials; worked numbers are in test_metrics_example.py."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from readbench.trials import metrics

SCORES = st.floats(0.0, 1.0)


@dataclass(frozen=True)
class Trial:
    requirement: npt.NDArray[np.float64]  # (K,)
    profiles: npt.NDArray[np.float64]  # (T + 1, K)
    tokens: npt.NDArray[np.int64]  # (T,)
    epsilon: npt.NDArray[np.float64]  # (T,)
    budget_tokens: int

    @property
    def gains(self) -> npt.NDArray[np.float64]:
        return np.diff(self.profiles, axis=0) @ self.requirement

    @property
    def curve(self) -> npt.NDArray[np.float64]:
        return self.profiles @ self.requirement


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    num_capabilities, num_intervals = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    weights = draw(hnp.arrays(np.float64, num_capabilities, elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0])))
    weights[draw(st.integers(0, num_capabilities - 1))] += 1.0
    tokens = draw(hnp.arrays(np.int64, num_intervals, elements=st.integers(0, 10_000)))
    return Trial(
        requirement=weights / weights.sum(),
        profiles=draw(hnp.arrays(np.float64, (num_intervals + 1, num_capabilities), elements=SCORES)),
        tokens=tokens,
        epsilon=draw(hnp.arrays(np.float64, num_intervals, elements=st.floats(0.0, 0.1))),
        budget_tokens=max(int(tokens.sum()) + draw(st.integers(0, 5_000)), 1),
    )


@given(trials(), st.integers(1, 10))
def test_spillover_is_bounded_and_grows_with_top_k(trial: Trial, top_k: int) -> None:
    spill = metrics.spillover(trial.profiles, trial.requirement, top_k)
    assert 0.0 <= spill <= len(trial.tokens) + 1e-12
    assert spill <= metrics.spillover(trial.profiles, trial.requirement, top_k + 1) + 1e-12


@given(trials())
def test_spillover_over_all_capabilities_covers_every_loss_of_profile_gain(trial: Trial) -> None:
    everything = metrics.spillover(trial.profiles, trial.requirement, trial.requirement.size)
    assert metrics.profile_gain(trial.profiles[0], trial.profiles[-1], trial.requirement) >= -everything - 1e-12


@given(trials())
def test_a_student_that_only_improves_has_no_spillover_and_no_collateral(trial: Trial) -> None:
    rising = np.sort(trial.profiles, axis=0)
    assert metrics.spillover(rising, trial.requirement) == 0.0
    assert metrics.collateral(rising[0], rising[-1], trial.requirement) == 0.0
    assert metrics.profile_gain(rising[0], rising[-1], trial.requirement) >= 0.0


@given(trials())
def test_collateral_is_a_share_and_blind_to_what_the_task_needs(trial: Trial) -> None:
    before, after = trial.profiles[0], trial.profiles[-1]
    harm = metrics.collateral(before, after, trial.requirement)
    assert 0.0 <= harm <= 1.0
    broken = np.where(trial.requirement > 0.0, 0.0, after)
    assert metrics.collateral(before, broken, trial.requirement) == harm


@given(trials())
def test_profile_gain_is_the_sum_of_the_intervals_gains(trial: Trial) -> None:
    gain = metrics.profile_gain(trial.profiles[0], trial.profiles[-1], trial.requirement)
    assert -1.0 - 1e-12 <= gain <= 1.0 + 1e-12
    assert gain == pytest.approx(float(trial.gains.sum()), abs=1e-12)


@given(trials())
def test_waste_is_a_share_and_grows_with_epsilon(trial: Trial) -> None:
    wasted = metrics.waste(trial.tokens, trial.gains, trial.epsilon)
    assert 0.0 <= wasted <= metrics.waste(trial.tokens, trial.gains, trial.epsilon + 0.1) <= 1.0


def test_waste_of_a_trial_that_charged_nothing_is_none() -> None:
    assert metrics.waste(np.zeros(2, dtype=np.int64), np.zeros(2), np.zeros(2)) == 0.0


def test_a_gain_of_exactly_its_error_is_wasted() -> None:
    assert metrics.waste(np.array([100, 300]), np.array([0.03125, 0.0625]), np.array([0.03125, 0.03125])) == 0.25


@given(trials())
def test_auc_stays_between_the_worst_and_the_best_point_of_the_curve(trial: Trial) -> None:
    area = metrics.auc(trial.tokens, trial.curve, trial.budget_tokens)
    assert trial.curve.min() - 1e-9 <= area <= trial.curve.max() + 1e-9


@given(trials(), SCORES)
def test_auc_of_a_flat_curve_is_its_level_whatever_was_left_over(trial: Trial, level: float) -> None:
    assert metrics.auc(trial.tokens, np.full_like(trial.curve, level), trial.budget_tokens) == pytest.approx(level, abs=1e-12)


@given(trials())
def test_an_interval_that_charged_nothing_adds_no_area(trial: Trial) -> None:
    area = metrics.auc(np.append(trial.tokens, 0), np.append(trial.curve, trial.curve[-1]), trial.budget_tokens)
    assert area == pytest.approx(metrics.auc(trial.tokens, trial.curve, trial.budget_tokens), abs=1e-12)


@given(trials())
def test_the_reward_is_the_gain_less_weighted_harm_and_cost(trial: Trial) -> None:
    before, after = trial.profiles[0], trial.profiles[1]
    plain = metrics.reward(before, after, trial.requirement, beta=0.0, cost=0.0, top_k=3)
    assert plain == metrics.profile_gain(before, after, trial.requirement)
    harm = metrics.spillover(trial.profiles[:2], trial.requirement, 3)
    assert metrics.reward(before, after, trial.requirement, beta=0.5, cost=0.25, top_k=3) == pytest.approx(plain - 0.5 * harm - 0.25)


def test_ties_at_the_cut_of_top_k_go_to_the_first_in_suite_order() -> None:
    assert metrics.most_needed(np.array([0.2, 0.4, 0.2, 0.2]), 2).tolist() == [1, 0]
    alternating = np.tile([1.0, 2.0], 32) / 96  # so many that a sort has to keep the order on purpose
    assert metrics.most_needed(alternating, 64).tolist() == [*range(1, 64, 2), *range(0, 64, 2)]


def test_spillover_looks_at_the_three_most_needed_unless_it_is_told_otherwise() -> None:
    requirement, profiles = np.array([0.125, 0.25, 0.5, 0.125]), np.array([[0.5] * 4, [0.25] * 4])
    assert metrics.spillover(profiles, requirement) == 0.25 * (0.5 + 0.25 + 0.125)
    assert metrics.spillover(profiles, requirement, 4) == 0.25


def test_auc_reads_only_the_points_that_were_measured() -> None:
    tokens, curve = np.array([400, 300, 300]), np.array([0.2, np.nan, 0.4, 0.6])
    assert metrics.auc(tokens, curve, 1000) == pytest.approx(0.7 * 0.3 + 0.3 * 0.5, abs=1e-12)
