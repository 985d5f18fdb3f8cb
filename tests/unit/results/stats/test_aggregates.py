"""Aggregates: by hand, against scipy, and the same for a batch as one by one."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from readbench.results.stats import iqm, probability_of_improvement

rng = np.random.default_rng(0)
OURS, THEIRS = rng.uniform(size=(5, 3)).round(1), rng.uniform(size=(5, 3)).round(1)


def test_interquartile_mean_leaves_out_both_quarters() -> None:
    assert iqm(np.array([[-100.0, 1.0, 2.0, 900.0]])) == pytest.approx(1.5)
    assert iqm(OURS) == pytest.approx(trim_mean(OURS.ravel(), 0.25))


def test_probability_of_improvement_is_mann_whitney_s_statistic() -> None:
    each = [mannwhitneyu(OURS[:, k], THEIRS[:, k]).statistic / 25 for k in range(3)]
    assert probability_of_improvement(OURS, THEIRS) == pytest.approx(np.mean(each))
    assert probability_of_improvement(OURS, OURS) == pytest.approx(0.5)
    assert probability_of_improvement(OURS + 2, THEIRS) == 1.0


def test_a_batch_gives_what_its_members_give() -> None:
    batch, other = np.stack([OURS, THEIRS]), np.stack([THEIRS, OURS])
    assert iqm(batch) == pytest.approx([iqm(OURS), iqm(THEIRS)])
    assert probability_of_improvement(batch, other) == pytest.approx(
        [probability_of_improvement(OURS, THEIRS), probability_of_improvement(THEIRS, OURS)]
    )
