"""Power: the noncentral t against simulation, and against the quantity that it answers for."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

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
