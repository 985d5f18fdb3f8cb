"""One seed a cluster job: report, check, results and compare take the runs as one, and refuse those that are not of one kind."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.results import parsed

Readbench = Callable[..., Any]


@pytest.fixture
def jobs(tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The document as three runs of one seed each."""
    monkeypatch.chdir(tmp_path)
    files = []
    for seed in document["config"]["seeds"]:
        part = copy.deepcopy(document) | {"run": f"job-{seed}"}
        part["trials"] = [trial for trial in part["trials"] if trial["seed"] == seed]
        part["config"]["seeds"] = [seed]
        files.append(tmp_path / f"job-{seed}.json")
        files[-1].write_text(json.dumps(part))
    return files


@pytest.fixture
def whole(tmp_path: Path, document: dict[str, Any]) -> Path:
    (tmp_path / "whole.json").write_text(json.dumps(document))
    return tmp_path / "whole.json"


def test_one_page_shows_all_runs(readbench: Readbench, jobs: list[Path], whole: Path, tmp_path: Path) -> None:
    refused = readbench("report", *jobs)
    assert (refused.code, refused.err) == (2, "error: several runs make one page; say where to write it: -o report.html\n")
    assert readbench("report", *jobs, "-o", tmp_path / "jobs.html").code == 0
    assert readbench("report", whole, "-o", tmp_path / "whole.html").code == 0
    pages = [(tmp_path / name).read_text() for name in ("jobs.html", "whole.html")]
    assert "job-0 + job-1 + job-2" in pages[0]
    assert pages[0].count("<tr>") == pages[1].count("<tr>")


def test_runs_are_judged_as_one(readbench: Readbench, jobs: list[Path], whole: Path, document: dict[str, Any]) -> None:
    assert readbench("check", whole, "--baseline", "baseline.json", "--update").code == 0
    judged = readbench("check", *jobs, "--baseline", "baseline.json", "--json")
    assert judged.code == 0
    assert judged.json()["run"] == "job-0 + job-1 + job-2"
    assert {verdict["status"] for verdict in judged.json()["verdicts"]} == {"identical"}
    for file in jobs:
        part = json.loads(file.read_text())
        for trial in part["trials"]:
            trial["metrics"]["utility"] -= 0.2 if trial["allocator"] == "read" else 0.0
        file.write_text(json.dumps(part))
    assert readbench("check", *jobs, "--baseline", "baseline.json").code == 1


def test_runs_that_differ_in_more_are_refused(readbench: Readbench, jobs: list[Path], tmp_path: Path) -> None:
    part = json.loads(jobs[1].read_text())
    part["config"]["num_dev"] = 9
    jobs[1].write_text(json.dumps(part))
    for command in (("report", *jobs, "-o", tmp_path / "page.html"), ("check", *jobs, "--baseline", "b.json", "--update")):
        outcome = readbench(*command)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert "the runs differ in more than the grid: num_dev: 4 against 9" in outcome.err


def test_results_of_several_runs_are_rebuilt_each_and_shown_as_one(
    readbench: Readbench, jobs: list[Path], document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readbench.trials.record.run_files.read_run", lambda _: {})
    monkeypatch.setattr("readbench.results.document.building.rebuild", lambda run: parsed(json.loads(run.read_text())))
    shown = readbench("results", *jobs, "--json")
    assert shown.code == 0
    assert sorted(trial["id"] for trial in shown.json()["trials"]) == sorted(trial["id"] for trial in document["trials"])
    said = readbench("results", *jobs)
    assert "mean ± sd over 3 seeds" in said.out
    assert f"look:    readbench report {' '.join(map(str, jobs))} -o report.html" in said.out
