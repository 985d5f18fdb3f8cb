"""`readbench check` as a user meets it: the verdicts, their exit codes, and what is written."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.results import move

Check = Make = Callable[..., Any]


def test_the_unchanged_project_is_identical(check: Check, document: dict[str, Any]) -> None:
    outcome = check(document)
    assert outcome.code == 0
    assert "identical: every value is the baseline's, bit for bit, and so is the config" in outcome.out
    assert outcome.err == ""


def test_a_regression_exits_1_and_names_the_metrics_and_the_change(check: Check, worse: Make) -> None:
    run = worse(0.10, 0.11, 0.12)
    run["config"]["training"]["learning_rate"] = 5e-5
    outcome = check(run)
    assert outcome.code == 1
    assert "regression: read utility\n" in outcome.out
    assert "changed since the baseline: training.learning_rate 0.0005 → 5e-05\n" in outcome.out


def test_a_change_that_does_not_matter_passes(check: Check, worse: Make) -> None:
    outcome = check(worse(0.001, 0.002, 0.0))
    assert outcome.code == 0
    assert "pass: in 1 of 2 metrics something changed" in outcome.out
    assert "nothing that readbench records" in outcome.out


def test_two_seeds_are_inconclusive_and_say_how_many_are_needed(check: Check, worse: Make, with_seeds: Make) -> None:
    run = with_seeds(worse(0.10, 0.14), 0, 1)
    outcome = check(run)
    assert outcome.code == 0
    assert "inconclusive: read utility: 2 seeds can tell a loss of 0.164 from none, a loss of 0.02 needs 14 seeds" in outcome.out
    assert "read: the run lacks 1 seed of the baseline: 2" in outcome.out
    assert check(run, "--inconclusive", "fail").code == 3


def test_the_margin_decides_what_matters(check: Check, tmp_path: Path, worse: Make) -> None:
    run = worse(0.05, 0.051, 0.052)
    assert check(run).code == 1
    assert check(run, "--margin", "utility=0.1").code == 0
    (tmp_path / "pyproject.toml").write_text("[tool.readbench.check.margins]\nutility = 0.2\n")
    assert check(run).code == 0
    assert check(run, "--margin", "utility=0.01").code == 1


def test_pyproject_may_make_inconclusive_fail_and_the_flag_undo_it(check: Check, tmp_path: Path, worse: Make, with_seeds: Make) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.readbench.check]\ninconclusive = 'fail'\n")
    run = with_seeds(worse(0.10, 0.14), 0, 1)
    assert check(run).code == 3
    assert check(run, "--inconclusive", "warn").code == 0


def test_json_is_all_of_standard_output(check: Check, monkeypatch: pytest.MonkeyPatch, worse: Make) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outcome = check(worse(0.10, 0.11, 0.12), "--json", "--margin", "auc=0.05")
    said = outcome.json()
    assert outcome.code == said["exit_code"] == 1
    assert said["outcome"] == "regression"
    assert said["margins"]["auc"] == {"delta": 0.05, "origin": "--margin"}
    assert {(v["allocator"], v["metric"], v["status"]) for v in said["verdicts"]} == {
        ("read", "utility", "regression"),
        ("read", "auc", "identical"),
        ("uniform", "utility", "identical"),
        ("uniform", "auc", "identical"),
    }
    assert outcome.err.startswith("::error title=readbench check::read utility: regression")


def test_files_and_github_get_the_outcome(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worse: Make) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    outcome = check(worse(0.10, 0.11, 0.12), "--junit", "junit.xml", "--markdown", "out.md")
    assert outcome.code == 1
    assert '<testsuites name="readbench check" tests="2" failures="1"' in (tmp_path / "junit.xml").read_text()
    assert (tmp_path / "out.md").read_text().startswith("<!-- readbench -->\n")
    assert summary.read_text() == "before\n" + (tmp_path / "out.md").read_text()
    assert "\n::error title=readbench check::read utility" in outcome.out


def test_update_shows_what_it_changes_and_makes_the_run_identical(check: Check, document: dict[str, Any], worse: Make) -> None:
    run = worse(0.10, 0.11, 0.12)
    move(run, budget_tokens=20_000)
    assert check(run).code == 2
    updated = check(run, "--update")
    assert updated.code == 0
    assert "0.6000 (3)  0.4900 (3)" in updated.out
    assert "uniform" not in updated.out
    assert "changed: budget_tokens 10000 → 20000" in updated.out
    assert check(run).code == 0
    assert "is up to date: nothing changed" in check(run, "--update").out
    assert check(document, "--update", "--json").json()["replaced"] == [
        {
            "allocator": "read",
            "metric": "utility",
            "old": {"mean": pytest.approx(0.49), "n": 3},
            "new": {"mean": pytest.approx(0.6), "n": 3},
        }
    ]


def test_a_baseline_of_too_few_seeds_is_made_with_a_warning(check: Check, document: dict[str, Any], with_seeds: Make) -> None:
    assert "warning: 2 seeds can only be found identical: a verdict needs 3" in check(with_seeds(document, 0, 1), "--update").out


def test_a_new_allocator_is_named_and_not_gated(check: Check, document: dict[str, Any]) -> None:
    run = copy.deepcopy(document)
    for number, trial in enumerate(document["trials"][:3]):
        run["trials"].append(trial | {"id": f"{number:016x}", "allocator": "greedy", "params": {"x": 1}})
    outcome = check(run)
    assert outcome.code == 0
    assert "not in the baseline, so not gated: greedy" in outcome.out
    assert "params" not in outcome.out


def test_a_parameter_s_new_default_is_a_change_that_is_named(check: Check, worse: Make) -> None:
    run = worse(0.001, 0.002, 0.0)
    for trial in run["trials"]:
        trial["params"] = {"kappa": 0.5} if trial["allocator"] == "read" else {}
    assert "params.allocator.read.kappa absent → 0.5" in check(run).out
