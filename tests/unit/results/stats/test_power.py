"""Power: the noncentral t against simulation, and against the quantity that it answers for."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, norm, ttest_1samp
from scipy.stats import t as student

from readbench.results.stats import minimum_detectable, seeds_needed


@pytest.mark.parametrize(("n", "sides"), [(3, 2), (5, 2), (5, 1), (12, 1)])
def test_a_difference_of_the_detectable_size_is_found_in_four_of_five_runs(n: int, sides: int) -> None:
    size = minimum_detectable(2.0, n, sides=sides)
    samples = np.random.default_rng(0).normal(size, 2.0, size=(8000, n))
    found = ttest_1samp(samples, 0, axis=1, alternative="two-sided" if sides == 2 else "greater").pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.015)


def test_it_scales_with_the_spread_and_falls_with_the_seeds() -> None:
    sizes = [minimum_detectable(1.0, n) for n in range(2, 40)]
    assert sizes == sorted(sizes, reverse=True)
    assert minimum_detectable(0.5, 6) == pytest.approx(minimum_detectable(1.0, 6) / 2)
    assert minimum_detectable(0.0, 6) == 0.0


@pytest.mark.parametrize("delta", [0.02, 0.1, 0.5, 3.0])
def test_the_seeds_needed_are_enough_and_one_less_is_not(delta: float) -> None:
    n = seeds_needed(0.2, delta)
    assert n is not None
    assert minimum_detectable(0.2, n, sides=1) <= delta
    assert n == 3 or minimum_detectable(0.2, n - 1, sides=1) > delta


def test_hopeless_is_said() -> None:
    assert seeds_needed(1.0, 0.001) is None


def power_of(effect: float, n: int, *, sides: int, alpha: float) -> float:
    """The chance that Z + effect·√n over √(V/df) passes the critical t, Z normal and V chi-squared: the definition of noncentral t."""
    critical = float(student.ppf(1 - alpha / sides, n - 1))

    def given(v: float) -> float:
        return float(chi2.pdf(v, n - 1) * norm.sf(critical * math.sqrt(v / (n - 1)) - effect * math.sqrt(n)))

    return float(quad(given, 0, math.inf)[0])


@pytest.mark.parametrize(
    ("n", "sides", "alpha", "power"), [(2, 2, 0.05, 0.8), (3, 2, 0.05, 0.8), (5, 1, 0.05, 0.9), (6, 2, 0.01, 0.6), (12, 1, 0.1, 0.95)]
)
def test_the_power_at_the_detectable_size_is_the_one_that_was_asked_for(n: int, sides: int, alpha: float, power: float) -> None:
    size = minimum_detectable(1.0, n, sides=sides, alpha=alpha, power=power)
    assert power_of(size, n, sides=sides, alpha=alpha) == pytest.approx(power, abs=1e-5)


def test_unless_told_otherwise_it_is_80_percent_two_sided_5_percent() -> None:
    assert minimum_detectable(1.0, 5) == minimum_detectable(1.0, 5, sides=2, alpha=0.05, power=0.8)


def test_the_seeds_needed_are_those_of_docs_statistics_md() -> None:
    assert [seeds_needed(1, effect, sides=2) for effect in (1, 1.5, 2, 4)] == [10, 6, 5, 3]


@pytest.mark.parametrize(("sides", "alpha", "power"), [(1, 0.05, 0.8), (2, 0.05, 0.8), (2, 0.01, 0.8), (2, 0.05, 0.9), (1, 0.1, 0.6)])
def test_the_seeds_needed_have_the_power_and_one_less_has_not(sides: int, alpha: float, power: float) -> None:
    n = seeds_needed(0.5, 0.5, sides=sides, alpha=alpha, power=power)
    assert n is not None
    assert power_of(1.0, n, sides=sides, alpha=alpha) >= power > power_of(1.0, n - 1, sides=sides, alpha=alpha)


def test_unless_told_otherwise_the_seeds_needed_are_those_of_a_one_sided_test() -> None:
    assert seeds_needed(1.0, 1.0) == seeds_needed(1.0, 1.0, sides=1, alpha=0.05, power=0.8) == 8
    assert seeds_needed(1.0, 1.0, sides=2) == 10


def test_three_seeds_are_the_fewest_and_a_thousand_the_most() -> None:
    assert seeds_needed(1.0, 1e6) == 3
    assert seeds_needed(0.0, 0.1) == 3
    most = minimum_detectable(1.0, 1000, sides=1)
    assert seeds_needed(1.0, most + 1e-5) == 1000
    assert seeds_needed(1.0, most - 1e-5) is None


@pytest.mark.parametrize("stricter", [{"sides": 2}, {"alpha": 0.001}, {"power": 0.99}])
def test_what_is_hopeless_depends_on_what_is_asked_for(stricter: dict[str, float]) -> None:
    delta = minimum_detectable(1.0, 900, sides=1)
    assert seeds_needed(1.0, delta + 1e-5) == 900
    assert seeds_needed(1.0, delta, **stricter) is None  # type: ignore[arg-type]
