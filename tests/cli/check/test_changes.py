"""What `readbench check` names beside its verdicts: everything recorded that changed, nothing that makes no difference."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from support.results import move

Check = Make = Callable[..., Any]
Document = dict[str, Any]


@pytest.fixture
def changes(check: Check) -> Callable[[Document, Document], list[str]]:
    """The changes from one document to the next."""

    def between(first: Document, second: Document) -> list[str]:
        assert check(first, "--update").code == 0
        named: list[str] = check(second, "--json").json()["changes"]
        return named

    return between


@pytest.fixture
def recorded(document: Document) -> Document:
    """A document with all that an environment records."""
    document["environment"] |= {"packages": {"numpy": "2.0", "torch": "2.13.0"}, "platform": "Linux", "git": "0" * 40, "cores": 2}
    return document


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("config", "training", "clip_norm"), 2.0, "training.clip_norm 1.0 → 2.0"),
        (("config", "max_new_tokens"), 32, "max_new_tokens 16 → 32"),
        (("config", "params", "objective"), {"sft": {"weight": 2}}, "params.objective.sft.weight absent → 2"),
        (("config", "params", "sft"), {"weight": 2}, "params.*.sft.weight absent → 2"),
        (("provenance", "code"), "1" * 32, "hash.code 000000000000 → 111111111111"),
        (("environment", "python"), "3.12", "python 3.11 → 3.12"),
        (("environment", "packages", "numpy"), "2.1", "packages.numpy 2.0 → 2.1"),
        (("environment", "fingerprint", "measured"), "1" * 32, f"fingerprint.measured {'0' * 32} → {'1' * 32}"),
        (("environment", "fingerprint", "device"), ["a", "b"], 'fingerprint.device cpu → ["a", "b"]'),
    ],
)
def test_a_change_is_named_with_both_values(
    changes: Callable[[Document, Document], list[str]], recorded: Document, place: tuple[str, ...], value: Any, said: str
) -> None:
    changed = copy.deepcopy(recorded)
    *parents, last = place
    inner = changed
    for key in parents:
        inner = inner[key]
    inner[last] = value
    assert changes(recorded, changed) == [said]
    assert changes(changed, recorded) == [_turned(said)]


def _turned(said: str) -> str:
    key, _, values = said.partition(" ")
    old, _, new = values.partition(" → ")
    return f"{key} {new} → {old}"


def test_several_changes_are_sorted_by_their_keys(changes: Callable[[Document, Document], list[str]], recorded: Document) -> None:
    changed = copy.deepcopy(recorded)
    changed["environment"]["python"] = "3.12"
    move(changed, objective="other")
    changed["config"]["max_new_tokens"] = 32
    assert changes(recorded, changed) == ["max_new_tokens 16 → 32", "objective sft → other", "python 3.11 → 3.12"]


def test_where_a_run_lies_what_it_is_called_and_how_much_was_run_is_no_change(
    changes: Callable[[Document, Document], list[str]], recorded: Document, with_seeds: Make
) -> None:
    changed = with_seeds(recorded, 0, 1)
    changed["run"] = "another-run"
    changed["config"] |= {"suite": "/a/suite", "teacher": "/a/teacher", "student": "/a/student", "allocators": ["read", "uniform"]}
    changed["environment"] |= {"platform": "other", "git": "1" * 40, "cores": 64}
    assert changes(recorded, changed) == []


def test_an_allocator_s_parameters_are_those_that_its_trials_ran_with(
    changes: Callable[[Document, Document], list[str]], recorded: Document
) -> None:
    """What the config gives is only a part of them: defaults stand with the trials."""
    given, ran = copy.deepcopy(recorded), copy.deepcopy(recorded)
    older = copy.deepcopy(recorded)
    given["config"]["params"] = {"allocator": {"read": {"kappa": 0.5}}}
    older["config"]["params"] = {"read": {"kappa": 0.5}}  # as an older version wrote it
    for trial in ran["trials"]:
        trial["params"] = {"kappa": 0.5} if trial["allocator"] == "read" else {}
    assert changes(recorded, given) == changes(recorded, older) == []
    assert changes(recorded, ran) == ["params.allocator.read.kappa absent → 0.5"]


def test_the_same_config_and_the_same_bits_are_told_apart(check: Check, recorded: Document) -> None:
    def same(document: Document) -> tuple[bool, bool]:
        said = check(document, "--json").json()
        return said["same_config"], said["same_bits"]

    check(recorded, "--update")
    elsewhere, moved, unmeasured = (copy.deepcopy(recorded) for _ in range(3))
    elsewhere["environment"]["fingerprint"]["measured"] = "1" * 32
    moved["config"]["student"] = "/a/student"
    del unmeasured["environment"]["fingerprint"]
    assert same(recorded) == (True, True)
    assert same(elsewhere) == (True, False)
    assert same(moved) == (False, True)
    assert same(unmeasured) == (True, False)
    check(unmeasured, "--update")
    assert same(unmeasured) == (True, False)


def test_the_json_says_everything(check: Check, worse: Make, with_seeds: Make) -> None:
    run = with_seeds(worse(0.10, 0.14), 0, 1)
    run["trials"] += [trial | {"id": f"{number:016x}", "allocator": name} for number, (name, trial) in enumerate(_twice(run["trials"][:2]))]
    said = check(run, "--json").json()
    identical, inconclusive = sorted(said.pop("verdicts"), key=lambda verdict: verdict["status"])
    assert said == {
        "outcome": "inconclusive",
        "exit_code": 0,
        "suite": "tiny v1",
        "run": "a-run",
        "same_config": False,
        "same_bits": True,
        "changes": [],
        "new_allocators": ["gap", "greedy"],
        "margins": {"utility": {"delta": 0.02, "origin": "suite"}},
    }
    assert identical == {
        "allocator": "uniform",
        "metric": "utility",
        "higher_is_better": True,
        "margin": 0.02,
        "status": "identical",
        "seeds": [0, 1],
        "missing_seeds": [2],
        "mean_baseline": pytest.approx(0.51),
        "mean_run": pytest.approx(0.51),
        "improvement": 0.0,
        "bounds": [0.0, 0.0],
        "detectable": 0.0,
        "seeds_needed": 3,
        "suspicious": False,
    }
    assert (inconclusive["allocator"], inconclusive["status"], inconclusive["seeds_needed"]) == ("read", "inconclusive", 14)
    assert inconclusive["improvement"] == pytest.approx(-0.12)


def _twice(trials: list[Document]) -> list[tuple[str, Document]]:
    return [(name, trial) for name in ("greedy", "gap") for trial in trials]


def test_the_verdicts_are_in_order_of_the_allocators_and_of_the_suite_s_metrics(check: Check, document: Document) -> None:
    said = check(document, "--json", "--margin", "auc=0.1", "--margin", "profile.code=0.1").json()
    metrics = ["utility", "profile.code", "auc"]
    assert [(v["allocator"], v["metric"]) for v in said["verdicts"]] == [
        (name, metric) for name in ("read", "uniform") for metric in metrics
    ]
