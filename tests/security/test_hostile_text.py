"""Text that others wrote is shown, never obeyed: in the terminal, in markdown, LaTeX, CSV, XML and JSON, whatever it holds.

Names are bound to a pattern by the schema; what is free is the run's name, failures, models' answers, settings of plug-ins, the
environment. All of it goes through every command that prints a document that was downloaded from somewhere.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Command = Callable[..., Any]
HOSTILE = {
    "colours and bells": "\x1b[31mred\x1b[0m\x07",
    "cursor and erasing": "\x1b[2J\x1b[H\x1b]0;title\x07\x9b31m",
    "reversed writing": "\u202eetelpmoc\u2066\u2069\u200f",
    "invisible": "a\u200bb\ufeffc\u00add",
    "lines": "one\ntwo\r\nthree\u2028four\x0bfive\x85six",
    "rich markup": "[bold red]x[/bold red][link=http://evil]y[/link]:smile:",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markdown": "| a | b |\n![x](http://evil) [y](javascript:1) `c` ***",
    "latex": "\\input{/etc/passwd} $x$ \\end{table} %",
    "formula": "=cmd|'/C calc'!A1",
    "workflow command": "::set-output name=x::y\n::error::z %0A",
    "endless": "x" * 20_000,
    "percent and braces": "%s {0} {x!r} $(touch x) `id`",
    "astral": "😀\U000e0041\U0010ffff",
}
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\u00ad]")  # all but tab and line feed


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE.keys())
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(document: dict[str, Any], tmp_path: Path, hostile: str) -> Path:
    """A results document with the text wherever the schema lets it stand."""
    document["run"] = hostile
    document["config"] |= {
        "suite": hostile,
        "teacher": hostile,
        "student": hostile,
        "params": {"read": {hostile: hostile}, hostile: {"x": 1}},
    }
    document["provenance"] = dict.fromkeys(document["provenance"], hostile)
    document["environment"] |= {
        "git": hostile,
        "command": [hostile, hostile],
        hostile: {hostile: [hostile]},
        "packages": {hostile: hostile},
    }
    document["environment"]["fingerprint"] = {"torch": hostile, hostile: hostile}
    for example in document["start"]["examples"]:
        example.update(dict.fromkeys(("prompt", "answer", "teacher", "before"), hostile))
    for trial in document["trials"]:
        trial["params"] = {hostile: hostile}
        trial["answers"] = dict.fromkeys(trial["answers"], hostile)
    failed = json.loads(json.dumps(document["trials"][0])) | {"seed": 99, "id": "f" * 16, "status": "failed", "failure": hostile}
    failed |= dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    document["trials"].append(failed)
    file = tmp_path / "results.json"
    file.write_text(json.dumps(document))
    return file


def harmless(*texts: str) -> None:
    for text in texts:
        assert OBEYED.findall(text) == []


def test_compare_shows_it(readbench: Command, saved: Path, tmp_path: Path) -> None:
    outcome = readbench("compare", saved, "--markdown", tmp_path / "c.md", "--latex", tmp_path / "c.tex", "--csv", tmp_path / "c.csv")
    assert outcome.code == 4  # a trial has failed
    harmless(outcome.out, outcome.err, (tmp_path / "c.md").read_text(), (tmp_path / "c.tex").read_text())
    assert "<script" not in (tmp_path / "c.md").read_text()
    harmless(readbench("compare", saved, "--json").out)


def test_merging_names_what_differs_in_one_short_line(readbench: Command, saved: Path, document: dict[str, Any], tmp_path: Path) -> None:
    document["config"] |= {"params": {}, "teacher": "lab/teacher"}
    document["environment"]["fingerprint"] = {"torch": "another"}
    (tmp_path / "other.json").write_text(json.dumps(document))
    outcome = readbench("compare", saved, tmp_path / "other.json")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert len(outcome.err) < 5000
    harmless(outcome.err)


def test_check_shows_it(readbench: Command, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    complete = json.loads(saved.read_text())
    del complete["trials"][-1]
    saved.write_text(json.dumps(complete))
    baseline, summary = tmp_path / "baseline.json", tmp_path / "summary.md"
    made = readbench("check", saved, "--baseline", baseline, "--update")
    assert made.code == 0
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    changed = json.loads(saved.read_text())
    changed["config"]["training"]["learning_rate"] = 0.25
    changed["environment"]["packages"] = {"torch": "x"}
    for trial in changed["trials"]:
        trial["metrics"]["utility"] = 0.1
        trial["params"] = {}
    saved.write_text(json.dumps(changed))
    outcome = readbench("check", saved, "--baseline", baseline, "--junit", tmp_path / "j.xml", "--markdown", tmp_path / "m.md")
    assert outcome.code == 1
    assert "utility" in outcome.out
    harmless(made.out, made.err, outcome.out, outcome.err, (tmp_path / "m.md").read_text(), summary.read_text())
    assert "<script" not in summary.read_text()
    commands = [line for line in outcome.out.splitlines() if line.startswith("::")]
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in commands), "no workflow command of another's making"
    ElementTree.parse(tmp_path / "j.xml")  # noqa: S314 - ours
    harmless((tmp_path / "j.xml").read_text())


def test_the_exports_hold_it_as_data(saved: Path, hostile: str, tmp_path: Path) -> None:
    from readbench.results import tables
    from readbench.results.document.reading import load

    csv.field_size_limit(10**6)
    tables.write_csv(load(saved), tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "metrics.csv").read_bytes().decode())))
    assert {row["run"].removeprefix("'") for row in rows} == {hostile}
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values() if value)


def test_the_report_escapes_it(saved: Path, readbench: Command, tmp_path: Path) -> None:
    outcome = readbench("report", saved, "-o", tmp_path / "report.html")
    assert outcome.code == 4
    harmless(outcome.out, outcome.err)
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    harmless(page)


def test_an_error_line_is_one_printable_line_of_bounded_length(readbench: Command, hostile: str, tmp_path: Path) -> None:
    name = hostile.replace("/", "").replace("\0", "")[:200]
    for arguments in (
        ("compare", tmp_path / name),
        ("report", tmp_path / name),
        ("check", tmp_path / name, "--baseline", name),
        ("run", "--suite", hostile),
        ("run", "--suite", "reasoning", "--allocators", hostile),
        ("run", "--suite", "reasoning", "--student", hostile),
        ("run", "--suite", "reasoning", "--objective", hostile),
        ("run", "--suite", "reasoning", "--set", hostile),
        ("run", "--suite", "reasoning", "--set", f"device={json.dumps(hostile)}"),
        ("run", "--suite", "reasoning", "--seeds", hostile),
        (hostile,),
    ):
        outcome = readbench(*arguments)
        assert outcome.code in (2, 5)
        assert outcome.out == ""
        assert outcome.err.count("\n") == 1
        assert len(outcome.err) < 5000
        harmless(outcome.err)
