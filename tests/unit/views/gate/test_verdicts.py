"""The rule of the verdicts, and by simulation how often it is wrong."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from readbench.results.stats import minimum_detectable, one_sided_bounds, seeds_needed
from readbench.suites.metric_names import Metric
from readbench.views.gate.verdicts import Status, judge, status_of

UTILITY = Metric("utility", True, "primary")
WASTE = Metric("waste", False, "exploratory")
BASELINE = {0: 0.50, 1: 0.52, 2: 0.48, 3: 0.51}


def shifted(*shifts: float) -> dict[int, float]:
    return {seed: BASELINE[seed] + shift for seed, shift in enumerate(shifts)}


@pytest.mark.parametrize(
    ("shifts", "status"),
    [
        ((0, 0, 0), Status.IDENTICAL),
        ((0,), Status.IDENTICAL),
        ((-0.10, -0.11, -0.12), Status.REGRESSION),
        ((-0.030, -0.031, -0.032), Status.REGRESSION),
        ((-0.010, -0.011, -0.012), Status.PASS),  # worse for certain, by less than matters
        ((-0.30, 0.01, -0.20), Status.INCONCLUSIVE),  # a large drop, but not for certain
        ((-0.019, -0.030, -0.008), Status.INCONCLUSIVE),
        ((0.10, 0.11, 0.12), Status.PASS),
        ((-0.30, -0.31), Status.INCONCLUSIVE),  # two seeds, however clear
        ((0.30, 0.30), Status.INCONCLUSIVE),
        ((-0.25, -0.25, -0.25), Status.REGRESSION),  # no spread: compared exactly
        ((-1 / 64, -1 / 64, -1 / 64), Status.PASS),
        ((1e-9, -1e-9, 0), Status.PASS),  # another processor's rounding
    ],
)
def test_verdicts(shifts: tuple[float, ...], status: Status) -> None:
    assert judge("a", UTILITY, shifted(*shifts), BASELINE, margin=0.02).status is status


@pytest.mark.parametrize("start", [0.1, 0.3, 0.48, 0.7, 0.9])
def test_a_drop_of_exactly_the_margin_is_a_regression_whatever_the_last_bit(start: float) -> None:
    run = dict.fromkeys(range(3), start - 0.02)
    assert judge("a", UTILITY, run, dict.fromkeys(range(3), start), margin=0.02).status is Status.REGRESSION


def test_a_metric_where_lower_is_better_is_turned_so_that_below_zero_is_worse() -> None:
    verdict = judge("a", WASTE, shifted(0.10, 0.11, 0.12), BASELINE, margin=0.02)
    assert verdict.status is Status.REGRESSION
    assert verdict.improvement == pytest.approx(-0.11)
    assert verdict.mean_run > verdict.mean_baseline
    assert judge("a", WASTE, shifted(-0.10, -0.11, -0.12), BASELINE, margin=0.02).status is Status.PASS


def test_only_shared_seeds_count_and_missing_ones_are_named() -> None:
    verdict = judge("a", UTILITY, shifted(0.01, 0.02, 0.03) | {9: 0.0}, BASELINE, margin=0.02)
    assert verdict.seeds == (0, 1, 2)
    assert verdict.missing_seeds == (3,)
    assert verdict.mean_baseline == pytest.approx(0.50)
    assert verdict.improvement == pytest.approx(0.02)


def test_the_numbers_are_those_of_the_one_sided_paired_t_test() -> None:
    shifts = (-0.05, 0.01, 0.02, -0.03)
    verdict = judge("a", UTILITY, shifted(*shifts), BASELINE, margin=0.02)
    sd = float(np.std(shifts, ddof=1))
    assert verdict.bounds == pytest.approx(one_sided_bounds(shifts))
    assert verdict.detectable == pytest.approx(minimum_detectable(sd, 4, sides=1))
    assert verdict.seeds_needed == seeds_needed(sd, 0.02)


def test_two_seeds_say_how_many_would_do_and_one_seed_cannot() -> None:
    two = judge("a", UTILITY, shifted(-0.05, 0.01), BASELINE, margin=0.02)
    assert two.seeds_needed is not None
    assert two.seeds_needed > 2
    one = judge("a", UTILITY, shifted(-0.05), BASELINE, margin=0.02)
    assert (one.status, one.bounds, one.detectable, one.seeds_needed) == (Status.INCONCLUSIVE, None, None, None)


@pytest.mark.parametrize(
    ("shifts", "suspicious"),
    [
        ((0.30, 0.31, 0.32), True),
        ((0.30, 0.30, 0.30), True),
        ((0.30, 0.10, 0.50), False),
        ((0.155, 0.165, 0.175), True),  # 16.5 sds
        ((0.049, 0.059, 0.069), True),  # 5.9
        ((0.053, 0.063, 0.041), False),  # 4.75
        ((0.0100, 0.0101, 0.0102), False),  # certain, but below the margin
        ((0.30, 0.31), False),
        ((-0.30, -0.31, -0.32), False),
    ],
)
def test_a_jump_upwards_of_more_than_five_sds_is_suspicious(shifts: tuple[float, ...], suspicious: bool) -> None:
    assert judge("a", UTILITY, shifted(*shifts), BASELINE, margin=0.02).suspicious is suspicious


def test_a_jump_of_no_more_than_the_margin_is_not_suspicious() -> None:
    halves = dict.fromkeys(range(3), 0.5)
    for higher, suspicious in ((0.75, False), (0.765625, True)):
        assert judge("a", UTILITY, dict.fromkeys(range(3), higher), halves, margin=0.25).suspicious is suspicious


def test_a_verdict_names_what_it_is_of() -> None:
    verdict = judge("greedy", WASTE, shifted(0.01, 0.02, 0.03), BASELINE, margin=0.05)
    assert (verdict.allocator, verdict.metric, verdict.higher_is_better, verdict.margin) == ("greedy", "waste", False, 0.05)
    assert (verdict.mean_baseline, verdict.mean_run) == (pytest.approx(0.50), pytest.approx(0.52))
    assert verdict.num_seeds == 3


def test_seeds_stand_in_order_of_their_numbers() -> None:
    baseline = dict.fromkeys((33, 8, 1, 40, 16, 5), 0.5)
    verdict = judge("a", UTILITY, dict.fromkeys((33, 8, 1), 0.6), baseline, margin=0.02)
    assert (verdict.seeds, verdict.missing_seeds) == ((1, 8, 33), (5, 16, 40))


def test_improvements_without_spread_are_compared_exactly() -> None:
    """Three differences that differ by rounding alone: no spread, bounds that are the mean, and three seeds are enough."""
    verdict = judge("a", UTILITY, {0: 0.7, 1: 0.6, 2: 0.5}, {0: 0.6, 1: 0.5, 2: 0.4}, margin=0.02)
    assert verdict.bounds == pytest.approx((0.1, 0.1))
    assert (verdict.detectable, verdict.seeds_needed) == (0.0, 3)


def test_two_seeds_have_the_bounds_of_one_degree_of_freedom() -> None:
    """t(0.95, 1) = 6.314; of −0.05 and 0.01 the mean is −0.02, and the standard error half their distance."""
    verdict = judge("a", UTILITY, shifted(-0.05, 0.01), BASELINE, margin=0.02)
    assert verdict.bounds == pytest.approx((-0.02 - 6.313752 * 0.03, -0.02 + 6.313752 * 0.03), rel=1e-6)


def test_without_a_shared_seed_there_is_nothing_to_judge() -> None:
    with pytest.raises(ValueError, match="share no seed"):
        judge("a", UTILITY, {9: 0.5}, BASELINE, margin=0.02)


@pytest.mark.parametrize(
    ("improvements", "status"),
    [
        ((-0.02 + 5e-13,) * 3, Status.REGRESSION),  # rounding, of a drop of exactly the margin
        ((-0.02 + 5e-12,) * 3, Status.PASS),
        ((-0.02 - 1e-9,) * 3, Status.REGRESSION),
        ((-0.0315, -0.020, -0.0085), Status.REGRESSION),  # t(0.95, 2) = 2.920: hi = −0.02 + 2.920·0.0115/√3 = −0.0006
        ((-0.0322, -0.020, -0.0078), Status.INCONCLUSIVE),  # likewise with 0.0122: +0.0006
        ((-0.0275, -0.019, -0.0105), Status.INCONCLUSIVE),  # hi = −0.0047, worse for certain, and the mean is above −δ
    ],
)
def test_the_edge_of_the_margin(improvements: tuple[float, ...], status: Status) -> None:
    assert status_of(improvements, margin=0.02) is status


def test_the_order_of_the_seeds_does_not_matter() -> None:
    run = shifted(-0.05, 0.01, 0.02, -0.03)
    turned = dict(reversed(run.items()))
    assert judge("a", UTILITY, turned, BASELINE, margin=0.02) == judge("a", UTILITY, run, BASELINE, margin=0.02)


def rates(*, drop: float, sd: float, n: int, margin: float) -> dict[Status, float]:
    """Shares of the verdicts over 2000 seeded simulations of a true drop."""
    improvements = np.random.default_rng(7).normal(-drop, sd, size=(2000, n))
    found = [status_of(row, margin=margin) for row in improvements.tolist()]
    return {status: found.count(status) / len(found) for status in Status}


@pytest.mark.parametrize(("n", "margin"), [(3, 0.001), (3, 0.02), (5, 0.02), (10, 0.001)])
def test_an_unchanged_project_is_a_regression_in_at_most_one_of_twenty(n: int, margin: float) -> None:
    error = 3 * math.sqrt(0.05 * 0.95 / 2000)  # of the simulation
    assert rates(drop=0.0, sd=0.03, n=n, margin=margin)[Status.REGRESSION] <= 0.05 + error


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_drop_of_the_margin_passes_in_at_most_one_of_twenty(n: int) -> None:
    assert rates(drop=0.02, sd=0.03, n=n, margin=0.02)[Status.PASS] <= 0.065


def test_with_the_seeds_needed_four_of_five_unchanged_projects_pass() -> None:
    needed = seeds_needed(0.03, 0.02)
    assert needed is not None
    assert rates(drop=0.0, sd=0.03, n=needed, margin=0.02)[Status.PASS] == pytest.approx(0.8, abs=0.03)


def test_with_the_seeds_needed_a_drop_of_twice_the_margin_is_found() -> None:
    needed = seeds_needed(0.03, 0.02)
    assert needed is not None
    assert rates(drop=0.04, sd=0.03, n=needed, margin=0.02)[Status.REGRESSION] > 0.97


def no_change(differences: Sequence[float]) -> bool:
    return status_of(differences, margin=0.02) is Status.IDENTICAL


def test_identical_is_bit_for_bit() -> None:
    assert no_change([0.0, -0.0, 0.0])
    assert not no_change([0.0, 5e-324, 0.0])
