"""Allocators compared: paired by seed, in families, with what is missing named."""

import copy
from typing import Any

import pytest
from scipy.stats import ttest_rel

from readbench.base.errors import ConfigError, IncompleteRunError
from readbench.results.comparison import Comparison, Row, compare
from support.results import parsed

Document = dict[str, Any]


def row_of(comparison: Comparison, metric: str, candidate: str = "read") -> Row:
    return next(row for row in comparison.rows if (row.metric, row.candidate) == (metric, candidate))


def spread(document: Document) -> Document:
    """The document with profiles that differ from seed to seed."""
    for trial in document["trials"]:
        ahead = 0.1 * (trial["allocator"] == "read")
        trial["profile"] = copy.deepcopy(trial["profile"])
        trial["profile"]["after"] |= {
            "math": 0.5 + ahead + 0.01 * trial["seed"] ** 2 * (1 if ahead else -1),
            "code": 0.3 - 0.02 * trial["seed"],
        }
    return document


def test_the_primary_endpoint_is_one_unadjusted_test(document: Document) -> None:
    row = row_of(compare(parsed(document), reference="uniform"), "utility")
    expected = ttest_rel([0.58, 0.62, 0.60], [0.50, 0.52, 0.48])
    interval = expected.confidence_interval(0.95)
    assert (row.family, row.n, row.seeds, row.missing_seeds) == ("primary", 3, (0, 1, 2), ())
    assert (row.mean_candidate, row.mean_reference, row.mean_difference) == pytest.approx((0.60, 0.50, 0.10))
    assert (row.ci_low, row.ci_high) == pytest.approx((interval.low, interval.high))
    assert row.p_value == row.p_adjusted == pytest.approx(expected.pvalue)
    assert row.p_sign_flip == pytest.approx(2 / 8)
    assert row.effect_size == pytest.approx(0.10 / 0.02)
    assert (row.wins, row.losses, row.ties, row.better) == (3, 0, 0, True)


def test_capabilities_are_one_family_adjusted_together(document: Document) -> None:
    comparison = compare(parsed(spread(document)), reference="uniform")
    math, code, tools = (row_of(comparison, f"profile.{name}") for name in ("math", "code", "tool_use"))
    assert {row.family for row in (math, code, tools)} == {"capability"}
    assert math.p_value is not None
    assert (math.p_adjusted, math.p_max_t) == (pytest.approx(math.p_value), 0.25)  # the only one of the three with spread
    assert (code.p_value, code.p_adjusted, code.p_max_t, code.mean_difference) == (None, None, None, 0.0)
    assert (tools.wins, tools.losses, tools.ties) == (0, 0, 3)


def test_a_lower_spillover_wins(document: Document) -> None:
    for trial in document["trials"]:
        trial["metrics"] = trial["metrics"] | {"spillover": 0.01 if trial["allocator"] == "read" else 0.05}
    row = row_of(compare(parsed(document), reference="uniform"), "spillover")
    assert (row.wins, row.losses, row.higher_is_better) == (3, 0, False)
    assert row.better is None  # exploratory: nothing is claimed


def test_only_complete_pairs_count_and_the_missing_seeds_are_named(document: Document) -> None:
    extra = [copy.deepcopy(trial) | {"seed": seed} for trial in document["trials"] if trial["seed"] == 0 for seed in (3, 4)]
    document["trials"] += extra
    next(t for t in document["trials"] if (t["allocator"], t["seed"]) == ("read", 1)).update(status="failed", metrics=None, profile=None)
    document["trials"] = [t for t in document["trials"] if (t["allocator"], t["seed"]) != ("uniform", 4)]
    row = row_of(compare(parsed(document), reference="uniform"), "utility")
    assert (row.seeds, row.missing_seeds, row.n) == ((0, 2, 3), (1, 4), 3)
    assert row.mean_reference == pytest.approx((0.50 + 0.48 + 0.50) / 3)  # uniform's seed 1 has no partner


def test_the_order_of_the_trials_does_not_matter(document: Document) -> None:
    forwards = compare(parsed(document), reference="uniform")
    document["trials"].reverse()
    assert compare(parsed(document), reference="uniform") == forwards


def test_below_three_shared_seeds_there_is_no_comparison(document: Document) -> None:
    document["trials"] = [trial for trial in document["trials"] if trial["seed"] < 2]
    with pytest.raises(IncompleteRunError, match=r"2 seeds in common with uniform do not show a spread; .* 3"):
        compare(parsed(document), reference="uniform")


def test_an_unknown_reference_names_the_near_one(document: Document) -> None:
    with pytest.raises(ConfigError, match="'unyform' is not in the run; did you mean 'uniform'"):
        compare(parsed(document), reference="unyform")


def test_one_allocator_alone_is_not_compared(document: Document) -> None:
    document["trials"] = [trial for trial in document["trials"] if trial["allocator"] == "read"]
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare(parsed(document), reference="read")


def test_aggregates_are_over_seeds_and_capabilities(document: Document) -> None:
    comparison = compare(parsed(spread(document)), reference="uniform")
    assert comparison.iqm["read"]["utility"].value == pytest.approx(0.60)
    band = comparison.iqm["read"]["profile"]
    assert band.low is not None
    assert band.high is not None
    assert band.low <= band.value <= band.high
    assert comparison.probability_of_improvement["read"]["utility"].value == 1.0
    assert "uniform" not in comparison.probability_of_improvement


def test_the_document_has_the_published_fields(document: Document) -> None:
    written = compare(parsed(document), reference="uniform").document()
    assert (written["schema"], written["reference"]) == (1, "uniform")
    assert set(written["aggregates"]) == {"iqm", "probability_of_improvement"}
    published = (
        "metric family candidate reference n seeds missing_seeds mean_candidate mean_reference mean_difference ci_low ci_high p_value "
        "p_adjusted p_sign_flip p_max_t effect_size wins losses ties mde"
    )
    assert all(set(published.split()) <= set(row) for row in written["comparisons"])
    assert len(written["comparisons"]) == 1 + 3 + 6
