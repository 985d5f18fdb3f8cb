"""Statistics for few seeds: paired differences, exact tests, power, adjustment for many tests, aggregates with honest bands."""

from readbench.results.stats.aggregates import iqm, probability_of_improvement
from readbench.results.stats.multiple import holm
from readbench.results.stats.paired import (
    CONFIDENCE,
    MIN_PAIRS,
    Difference,
    Estimate,
    difference_of,
    differences_by_seed,
    estimate,
    is_constant,
    one_sided_bounds,
    paired_difference,
)
from readbench.results.stats.power import minimum_detectable, seeds_needed
from readbench.results.stats.resampling import max_t, sign_flip, whole_seed_band

__all__ = [
    "CONFIDENCE",
    "MIN_PAIRS",
    "Difference",
    "Estimate",
    "difference_of",
    "differences_by_seed",
    "estimate",
    "holm",
    "iqm",
    "is_constant",
    "max_t",
    "minimum_detectable",
    "one_sided_bounds",
    "paired_difference",
    "probability_of_improvement",
    "seeds_needed",
    "sign_flip",
    "whole_seed_band",
]
