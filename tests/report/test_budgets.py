"""Utility against the budget, in a report of a run with several."""

import copy
from typing import Any

import pytest

from readbench.results.merging import merge
from readbench.views.report.pictures.learning.budgets import budgets
from readbench.views.report.view import label, view
from support.results import move, parsed


def grid(document: dict[str, Any], *places: tuple[str, int, float]) -> dict[str, Any]:
    """The document's trials at each place, with so much more utility."""
    whole = copy.deepcopy(document) | {"trials": []}
    for number, (objective, budget, more) in enumerate(places):
        part = copy.deepcopy(document)
        move(part, objective=objective, budget_tokens=budget)
        for trial in part["trials"]:
            trial["id"] = f"{number}{trial['id'][1:]}"
            trial["metrics"]["utility"] += more
        whole["trials"] += part["trials"]
    whole["config"] |= {key: list(dict.fromkeys(p[i] for p in places)) for i, key in enumerate(("objectives", "budgets"))}
    return whole


def test_each_budget_has_the_mean_of_its_own_trials(document: dict[str, Any]) -> None:
    run = grid(document, ("sft", 20_000, 0.1), ("sft", 10_000, 0.0), ("jsd", 10_000, 0.0), ("jsd", 20_000, 0.05))
    picture = budgets(view(merge([parsed(run)]).results))
    assert picture is not None
    rows = {(row[0].text, row[1].text): row[3].text for row in picture.numbers.rows}
    scores: dict[str, list[float]] = {}
    for trial in document["trials"]:
        scores.setdefault(trial["allocator"], []).append(trial["metrics"]["utility"])
    means = {name: sum(each) / len(each) for name, each in scores.items()}
    assert rows == {
        (f"{name}/{objective}", f"{budget:,}"): f"{means[name] + more:.3f}"
        for name in means
        for objective, budget, more in (("sft", 10_000, 0), ("sft", 20_000, 0.1), ("jsd", 10_000, 0), ("jsd", 20_000, 0.05))
    }
    assert picture.panels[0].title == f"{max(means, key=lambda name: means[name])}/sft"
    assert picture.panels[0].best


def test_one_budget_makes_no_picture(document: dict[str, Any]) -> None:
    assert budgets(view(merge([parsed(document)]).results)) is None
    assert budgets(view(merge([parsed(grid(document, ("sft", 10_000, 0.0), ("jsd", 10_000, 0.0)))]).results)) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("read", "read"), ("a" * 17, "a" * 17), ("a" * 18, "a" * 16 + "…"), ("horizon/reverse-kl/48000", "horizon/re…/48000")],
)
def test_a_short_label_keeps_what_tells_places_apart(name: str, shown: str) -> None:
    assert label(name) == shown
