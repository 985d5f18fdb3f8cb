"""Several runs as one: only where nothing but the allocator differs, and nothing is counted twice."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.results.merging import Merged, Selection, merge
from support.results import move, parsed

Document = dict[str, Any]


def only(document: Document, allocator: str, *, run: str) -> Document:
    """The document as of a run of one allocator."""
    part = copy.deepcopy(document) | {"run": run}
    part["trials"] = [trial for trial in part["trials"] if trial["allocator"] == allocator]
    part["config"]["allocators"] = [allocator]
    return part


def merged(*documents: Document, allow_mismatch: bool = False) -> Merged:
    return merge([parsed(document) for document in documents], allow_mismatch=allow_mismatch)


def labels(runs: Merged) -> list[str]:
    return list(dict.fromkeys(trial.allocator for trial in runs.results.trials))


def test_one_run_stays_as_it_is(document: Document) -> None:
    assert merged(document) == Merged(results=parsed(document), mismatches=())


def test_runs_that_differ_in_the_allocator_are_merged(document: Document) -> None:
    runs = merged(only(document, "uniform", run="a"), only(document, "read", run="b"))
    assert runs.results.trials == parsed(document).trials


def test_runs_with_other_seeds_of_an_allocator_add_up(document: Document) -> None:
    first, second = copy.deepcopy(document), copy.deepcopy(document)
    first["trials"] = [trial for trial in first["trials"] if trial["seed"] < 2]
    second["trials"] = [trial for trial in second["trials"] if trial["seed"] == 2]
    second["config"]["seeds"] = [2]
    assert {(t.allocator, t.seed) for t in merged(first, second).results.trials} == {
        (t["allocator"], t["seed"]) for t in document["trials"]
    }


def test_parameters_make_another_allocator_and_only_those_that_differ_are_shown(document: Document) -> None:
    first, second = only(document, "read", run="a"), only(document, "read", run="b")
    for part, kappa in ((first, 1.0), (second, 0.5)):
        part["config"]["params"] = {"allocator": {"read": {"kappa": kappa, "members": 5}}}
        for trial in part["trials"]:
            trial["params"] = {"kappa": kappa, "members": 5}
    assert labels(merged(first, second)) == ["read (kappa=1.0)", "read (kappa=0.5)"]


def test_a_trial_in_both_runs_counts_once(document: Document) -> None:
    assert merged(document, copy.deepcopy(document) | {"run": "again"}).results.trials == parsed(document).trials


def test_a_trial_that_one_run_did_not_finish_is_taken_from_the_other(document: Document) -> None:
    cut = copy.deepcopy(document)
    cut["trials"][0] |= {"status": "incomplete", "metrics": None}
    for order in ([cut, document], [document, cut]):
        assert not merged(*order).results.unfinished


def test_one_trial_with_two_results_is_refused(document: Document) -> None:
    other = copy.deepcopy(document)
    other["trials"][0]["metrics"]["utility"] += 0.1
    with pytest.raises(ConfigError, match="uniform, seed 0, has two different results"):
        merged(document, other)


def change(*path: str, value: Any) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("differ", "named"),
    [
        (change("suite", "version", value=2), "suite.version: 1 against 2"),
        (change("config", "num_intervals", value=5), "num_intervals: 1 against 5"),
        (change("config", "training", "learning_rate", value=1e-5), "training.learning_rate: 0.0005 against 1e-05"),
        (change("config", "params", value={"teacher": {"hf": {"x": 1}}}), r"params.teacher.hf.x: \(absent\) against 1"),
        (change("provenance", "data", value="f" * 32), "provenance.data"),
        (change("provenance", "code", value="f" * 32), "provenance.code"),
        (change("provenance", "student", value="f" * 32), "provenance.student"),
        (change("environment", "fingerprint", "torch", value="9"), "fingerprint.torch: 2.13.0 against 9"),
    ],
)
def test_anything_else_that_differs_is_named_and_refused(document: Document, differ: Callable[[Document], None], named: str) -> None:
    other = only(document, "read", run="b")
    differ(other)
    with pytest.raises(ConfigError, match=named):
        merged(only(document, "uniform", run="a"), other)
    runs = merged(only(document, "uniform", run="a"), other, allow_mismatch=True)
    assert labels(runs) == ["uniform @a", "read @b"]
    assert len(runs.mismatches) == 1


def test_where_a_model_lies_is_no_difference_its_content_is(document: Document) -> None:
    other = only(document, "read", run="b")
    other["config"]["student"] = "/elsewhere/student"
    other["environment"]["python"] = "3.12"
    assert merged(only(document, "uniform", run="a"), other).mismatches == ()


def test_runs_of_two_suites_are_not_merged_at_all(document: Document) -> None:
    other = copy.deepcopy(document)
    other["suite"]["name"] = "another"
    with pytest.raises(ConfigError, match="different suites"):
        merged(document, other, allow_mismatch=True)


def with_objective(document: Document, name: str, *, run: str, **params: float) -> Document:
    part = only(document, "uniform", run=run)
    part["config"]["params"] = {"objective": {name: params}} if params else {}
    part["trials"] = [{**trial, "id": f"{run.encode().hex():0<16}"[:16]} for trial in part["trials"]]
    move(part, objective=name)
    return part


def test_by_objective_only_the_objective_may_differ(document: Document) -> None:
    sft, jsd = (parsed(with_objective(document, name, run=name)) for name in ("sft", "jsd"))
    with pytest.raises(ConfigError, match="the runs differ in more than the allocator: objective: sft against jsd"):
        merge([sft, jsd], by="allocator")
    assert labels(merge([sft, jsd], by="objective")) == ["sft", "jsd"]
    other = with_objective(document, "jsd", run="jsd")
    other["config"]["num_probes"] = 7
    with pytest.raises(ConfigError, match="the runs differ in more than the objective: num_probes"):
        merge([sft, parsed(other)], by="objective")


def test_an_objective_with_other_parameters_is_another_one(document: Document) -> None:
    runs = [parsed(with_objective(document, "jsd", run=f"run{beta}", beta=beta)) for beta in (0.1, 0.5)]
    assert labels(merge(runs, by="objective")) == ["jsd (beta=0.1)", "jsd (beta=0.5)"]


def test_by_budget_the_label_is_the_budget(document: Document) -> None:
    small, large = only(document, "uniform", run="small"), only(document, "uniform", run="large")
    budget = small["trials"][0]["budget_tokens"]
    move(large, budget_tokens=2 * budget)
    assert labels(merge([parsed(small), parsed(large)], by="budget")) == [f"{budget:,} tokens", f"{2 * budget:,} tokens"]


def test_other_axes_are_compared_at_one_allocator(document: Document) -> None:
    with pytest.raises(ConfigError, match=r"the runs have \d allocators: .*; to compare by objective, name one with --allocator"):
        merge([parsed(document)], by="objective")
    assert labels(merge([parsed(document)], by="objective", only=Selection(allocator="uniform"))) == ["sft"]
    with pytest.raises(ConfigError, match=r"has no allocator 'unifrom'; did you mean 'uniform'\?"):
        merge([parsed(document)], by="objective", only=Selection(allocator="unifrom"))


def grid(document: Document) -> Document:
    """`uniform` and `read` by two objectives with two budgets."""
    whole = copy.deepcopy(document)
    whole["trials"] = []
    for number, (name, budget) in enumerate((name, budget) for name in ("sft", "jsd") for budget in (10_000, 20_000)):
        part = copy.deepcopy(document)
        move(part, objective=name, budget_tokens=budget)
        whole["trials"] += [{**trial, "id": f"{number}{trial['id'][1:]}"} for trial in part["trials"]]
    whole["config"] |= {"objectives": ["sft", "jsd"], "budgets": [10_000, 20_000]}
    return whole


def test_a_run_of_several_objectives_and_budgets_names_its_contestants_by_all_three(document: Document) -> None:
    shown = merge([parsed(grid(document))])
    assert set(labels(shown)) == {f"{a}/{o}/{b}" for a in ("uniform", "read") for o in ("sft", "jsd") for b in (10_000, 20_000)}
    assert len(shown.results.trials) == 4 * len(document["trials"])


def test_only_the_axis_that_is_compared_may_differ_within_a_run_too(document: Document) -> None:
    results = parsed(grid(document))
    with pytest.raises(ConfigError, match=r"has 2 objectives: sft, jsd; to compare by allocator, name one with --objective"):
        merge([results], by="allocator")
    with pytest.raises(ConfigError, match=r"has 2 budgets: 10000, 20000; to compare by objective, name one with --budget"):
        merge([results], by="objective")
    at = Selection(objective="jsd", budget_tokens=20_000)
    one = merge([results], by="allocator", only=at)
    assert labels(one) == ["uniform", "read"]
    assert {(trial.objective, trial.budget_tokens) for trial in one.results.trials} == {("jsd", 20_000)}
    assert (one.results.config.objectives, one.results.config.budgets) == (("jsd",), (20_000,))
    assert labels(merge([results], by="budget", only=Selection(allocator="read", objective="sft"))) == ["10,000 tokens", "20,000 tokens"]
    with pytest.raises(ConfigError, match="has no budget 7"):
        merge([results], by="allocator", only=Selection(budget_tokens=7))


def test_runs_of_different_objectives_become_one_grid(document: Document) -> None:
    runs = [parsed(with_objective(document, name, run=name)) for name in ("sft", "jsd")]
    shown = merge(runs)
    assert labels(shown) == ["uniform/sft", "uniform/jsd"]
    assert shown.results.config.objectives == ("sft", "jsd")
