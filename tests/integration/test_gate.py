"""The gate on real trials: an unchanged project, a learning rate cut to a tenth, and two seeds."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import command

RUN = ("run", "--suite", "multilingual", "--allocators", "task-static", "--budget", "9000", "--intervals", "3")
FEW_PROBES = ("--set", "num_probes=9", "--set", "num_dev=9", "--set", "executor=inline")
TENTH = ("--set", "training.learning_rate=1e-4")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a baseline, and two runs of it: unchanged, and with a learning rate cut to a tenth."""
    folder = tmp_path_factory.mktemp("project")
    for name, settings in (("unchanged", ()), ("tenth", TENTH)):
        done = command(*RUN, *FEW_PROBES, "--seeds", "3", *settings, "--out", name, folder=folder)
        assert done.returncode == 0, done.stderr
    assert command("check", "unchanged", "--baseline", "baseline.json", "--update", folder=folder).returncode == 0
    return folder


def check(project: Path, run: object) -> tuple[int, dict[str, Any]]:
    done = command("check", run, "--baseline", "baseline.json", "--json", folder=project)
    return done.returncode, json.loads(done.stdout)


def test_the_unchanged_project_is_identical(project: Path) -> None:
    code, outcome = check(project, "unchanged")
    assert (code, outcome["outcome"], outcome["same_config"], outcome["changes"]) == (0, "identical", True, [])


def test_a_learning_rate_cut_to_a_tenth_is_a_regression_that_names_the_metrics(project: Path) -> None:
    code, outcome = check(project, "tenth")
    assert (code, outcome["outcome"]) == (1, "regression")
    assert outcome["changes"] == ["training.learning_rate 0.001 → 0.0001"]
    assert "utility" in {verdict["metric"] for verdict in outcome["verdicts"] if verdict["status"] == "regression"}
    shown = command("check", "tenth", "--baseline", "baseline.json", folder=project)
    assert shown.stdout.splitlines()[-1].startswith("regression: task-static utility")


def test_two_seeds_are_inconclusive_and_say_how_many_are_needed(project: Path, tmp_path: Path) -> None:
    two = json.loads((project / "tenth" / "results.json").read_text())
    two["trials"] = [trial for trial in two["trials"] if trial["seed"] < 2]  # what a run of two seeds gives, bit for bit
    two["config"]["seeds"] = [0, 1]
    del two["digest"]
    (tmp_path / "two.json").write_text(json.dumps(two))
    code, outcome = check(project, tmp_path / "two.json")
    assert (code, outcome["outcome"]) == (0, "inconclusive")
    assert all(verdict["seeds_needed"] >= 3 for verdict in outcome["verdicts"] if verdict["status"] == "inconclusive")
