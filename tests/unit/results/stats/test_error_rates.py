"""What the methods promise, on simulated seeds: coverage of the interval, family-wise error of correlated scores."""

import numpy as np
import pytest

from readbench.results.stats import difference_of, holm, max_t

SEEDS, CAPABILITIES, CORRELATION = 5, 8, 0.7
RUNS = 1500
NOISE = 3 * np.sqrt(0.05 * 0.95 / RUNS)  # three standard errors of a share of 5 %


def simulated(mean: float) -> np.ndarray:
    """(RUNS, SEEDS, CAPABILITIES) differences, unit sd; the scores of one seed are correlated."""
    rng = np.random.default_rng(7)
    shared = rng.normal(size=(RUNS, SEEDS, 1)) * np.sqrt(CORRELATION)
    return mean + shared + rng.normal(size=(RUNS, SEEDS, CAPABILITIES)) * np.sqrt(1 - CORRELATION)


def test_the_interval_covers_the_truth_in_95_of_100() -> None:
    intervals = [difference_of(run[:, 0].tolist()).interval for run in simulated(0.3)]  # type: ignore[union-attr]
    covered = np.mean([low <= 0.3 <= high for low, high in intervals])  # type: ignore[misc]
    assert covered == pytest.approx(0.95, abs=NOISE)


def test_the_interval_of_a_mean_over_correlated_capabilities_covers_it_too() -> None:
    """A seed's scores are averaged first: the unit is the seed. Treating 40 scores as independent would cover half."""
    means = simulated(0.3).mean(axis=2)
    intervals = [difference_of(run.tolist()).interval for run in means]  # type: ignore[union-attr]
    assert np.mean([low <= 0.3 <= high for low, high in intervals]) == pytest.approx(0.95, abs=NOISE)  # type: ignore[misc]


def test_holm_and_max_t_keep_the_family_wise_error_where_single_tests_do_not() -> None:
    single = holm_rejects = max_t_rejects = 0
    for run in simulated(0.0):
        p_values = [difference_of(run[:, k].tolist()).p_value or 0.0 for k in range(CAPABILITIES)]  # type: ignore[union-attr]
        single += min(p_values) <= 0.05
        holm_rejects += min(holm(p_values)) <= 0.05
        max_t_rejects += min(p for p in max_t(run) if p is not None) <= 2 / 2**SEEDS + 1e-9
    assert single / RUNS > 0.10
    assert holm_rejects / RUNS <= 0.05 + NOISE
    assert max_t_rejects / RUNS <= 2 / 2**SEEDS + NOISE  # exact: the smallest level that five seeds allow


def test_bootstraps_of_five_seeds_cover_less_and_resampling_scores_apart_covers_half() -> None:
    """Why intervals are Student's t: a percentile band of whole seeds covers 84 %, one that resamples each score's runs apart 50 %."""
    runs = simulated(0.3)[:600]
    rng = np.random.default_rng(1)
    whole = runs[:, rng.integers(0, SEEDS, size=(500, SEEDS))].mean(axis=(2, 3))  # (runs, resamples)
    apart = np.stack([runs[:, rng.integers(0, SEEDS, size=(500, SEEDS)), k].mean(axis=2) for k in range(CAPABILITIES)]).mean(axis=0)
    covered = [
        np.mean((low <= 0.3) & (high >= 0.3)) for low, high in (np.quantile(means, [0.025, 0.975], axis=1) for means in (whole, apart))
    ]
    assert covered == pytest.approx([0.84, 0.50], abs=0.06)
