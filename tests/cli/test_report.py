"""``readbench report``: where the page goes, what is said, and one line with the right exit code for everything that is no run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Readbench = Callable[..., Any]
UNFINISHED = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))


@pytest.fixture
def results(tmp_path: Path, document: dict[str, Any]) -> Path:
    """A results.json in a folder of its own."""
    file = tmp_path / "run" / "results.json"
    file.parent.mkdir()
    file.write_text(json.dumps(document))
    return file


@pytest.fixture
def refused(readbench: Readbench) -> Callable[..., str]:
    """Runs the command with a mistake in it, holds what every mistake has in common, and returns the line."""

    def call(*arguments: object, code: int = 2) -> str:
        outcome = readbench("report", *arguments)
        assert outcome.code == code
        assert outcome.out == ""
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1, "one line"
        return str(outcome.err)

    return call


def test_the_page_stands_beside_the_results_and_its_place_and_size_are_said(readbench: Readbench, results: Path) -> None:
    outcome = readbench("report", results)
    page = results.parent / "report.html"
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"report: {page} ({page.stat().st_size / 1e3:.0f} kB)\n"
    assert page.read_text().startswith("<!doctype html>")
    assert sorted(file.name for file in results.parent.iterdir()) == ["report.html", "results.json"]


def test_o_says_where_and_an_older_page_is_replaced(readbench: Readbench, results: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.html"
    target.write_text("old")
    assert readbench("report", results, "-o", target).code == 0
    assert target.read_text().startswith("<!doctype html>")
    assert not (results.parent / "report.html").exists()


def test_an_incomplete_run_is_reported_and_ends_with_four(readbench: Readbench, results: Path, document: dict[str, Any]) -> None:
    document["trials"][0] |= {"status": "failed", "failure": "the loss is <not> finite"} | UNFINISHED
    results.write_text(json.dumps(document))
    outcome = readbench("report", results)
    assert outcome.code == 4
    assert outcome.err == f"error: 1 of 6 trials have no result: the report names them; readbench resume {results.parent}\n"
    page = (results.parent / "report.html").read_text()
    assert "Incomplete: 1 of 6 trials have no result." in page
    assert "the loss is &lt;not&gt; finite" in page


def test_a_run_without_any_complete_trial_has_no_report(refused: Callable[..., str], results: Path, document: dict[str, Any]) -> None:
    document["trials"] = [trial | {"status": "incomplete", "intervals": []} | UNFINISHED for trial in document["trials"]]
    results.write_text(json.dumps(document))
    assert "no complete trial" in refused(results, code=4)
    assert not (results.parent / "report.html").exists()


def test_one_seed_is_reported_without_intervals(readbench: Readbench, results: Path, document: dict[str, Any]) -> None:
    document["trials"] = [trial for trial in document["trials"] if trial["seed"] == 0]
    results.write_text(json.dumps(document))
    assert readbench("report", results).code == 0
    assert "One seed: no intervals are given." in (results.parent / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot read"),
        ("{", "cannot read"),
        ("[]", "no results of readbench"),
        ('{"schema": 2}', "schema 2"),
        ('{"schema": 1}', "damaged"),
    ],
    ids=["empty", "cut", "something-else", "other-schema", "hollow"],
)
def test_what_is_no_result_is_refused_in_one_line(refused: Callable[..., str], results: Path, content: str, said: str) -> None:
    results.write_text(content)
    assert said in refused(results)
    assert not (results.parent / "report.html").exists()


def test_missing_metrics_are_refused_in_one_line(refused: Callable[..., str], results: Path, document: dict[str, Any]) -> None:
    del document["trials"][0]["metrics"]["utility"]
    results.write_text(json.dumps(document))
    assert "utility" in refused(results)


def test_what_is_no_run_is_refused_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "run.json" in refused(tmp_path / "folder")
    assert "nowhere" in refused(tmp_path / "nowhere")


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    refused: Callable[..., str], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readbench.views.report.page.build", lambda _: pytest.fail("worked first"))
    assert "is a folder" in refused(results, "-o", tmp_path)
    assert "there is no folder" in refused(results, "-o", tmp_path / "none" / "page.html")
    monkeypatch.setattr("os.access", lambda _, mode, **__: mode != os.W_OK)
    assert "cannot write to" in refused(results, "-o", tmp_path / "page.html", code=5)
