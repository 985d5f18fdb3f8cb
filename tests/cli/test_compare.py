"""`readbench compare` as a user calls it: tables, files, JSON, and one line for everything that cannot be compared."""

import copy
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from readbench.results.comparison import compare
from readbench.views.console.comparison import print_comparison
from support.results import move, parsed

Command = Callable[..., Any]
HOSTILE = "=1+1|<script>\x1b[31m`x`$\\input{y}&_\u202e"


@pytest.fixture
def saved(tmp_path: Path, document: dict[str, Any]) -> Callable[..., Path]:
    """Writes a (changed) document as results.json."""

    def save(name: str = "results.json", content: Any = None) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(document if content is None else content))
        return path

    return save


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    for trial in changed["trials"]:
        trial["allocator"] = name if trial["allocator"] == "read" else trial["allocator"]
    return changed


def test_tables_say_what_is_better_and_by_how_much(readbench: Command, saved: Callable[..., Path]) -> None:
    outcome = readbench("compare", saved(), "--reference", "uniform")
    assert (outcome.code, outcome.err) == (0, "")
    line = next(line for line in outcome.out.splitlines() if line.split()[:2] == ["utility", "read"])
    assert " ".join(line.split()[2:]) == "0.600 0.500 +0.100 better +0.050 to +0.150 .013 .013 .250 +5.0 3/0/0 0.065"
    for heading in ("the one test of each allocator", "Holm; max-T sign flips", "exploratory: not adjusted"):
        assert heading in outcome.out


def test_json_is_the_comparison_and_nothing_else(readbench: Command, saved: Callable[..., Path], document: dict[str, Any]) -> None:
    outcome = readbench("compare", saved(), "--json")
    assert outcome.json() == json.loads(json.dumps(compare(parsed(document), reference="uniform").document()))


def test_by_objective_the_tables_name_objectives(readbench: Command, saved: Callable[..., Path], document: dict[str, Any]) -> None:
    runs = []
    for name in ("sft", "jsd"):
        part = copy.deepcopy(document)
        part["trials"] = [trial for trial in part["trials"] if trial["allocator"] == "read"]
        move(part, objective=name)
        runs.append(saved(f"{name}.json", part))
    outcome = readbench("compare", *runs, "--by", "objective")
    assert outcome.code == 0, outcome.err
    text = " ".join(outcome.out.split())
    assert "the one test of each objective, not adjusted" in text
    assert "metric objective mean" in text
    assert "differences are objective − sft" in text
    assert "allocator" not in text
    found = readbench("compare", *runs, "--by", "objective", "--json").json()
    assert (found["by"], found["reference"]) == ("objective", "sft")


def test_several_runs_are_merged(readbench: Command, saved: Callable[..., Path], document: dict[str, Any]) -> None:
    parts = []
    for name in ("uniform", "read"):
        part = copy.deepcopy(document) | {"run": name}
        part["trials"] = [trial for trial in part["trials"] if trial["allocator"] == name]
        parts.append(saved(f"{name}.json", part))
    assert readbench("compare", *parts, "--json").json() == readbench("compare", saved(), "--json").json()


def test_runs_that_differ_are_refused_in_one_line_unless_allowed(
    readbench: Command, saved: Callable[..., Path], document: dict[str, Any]
) -> None:
    other = copy.deepcopy(document) | {"run": "later"}
    other["config"]["training"]["learning_rate"] = 0.1
    runs = saved(), saved("later.json", other)
    outcome = readbench("compare", *runs)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "training.learning_rate: 0.0005 against 0.1" in outcome.err
    assert "--allow-mismatch" in outcome.err
    allowed = readbench("compare", *runs, "--allow-mismatch", "--reference", "uniform @a-run")
    assert allowed.code == 0
    assert "the runs differ: training.learning_rate" in allowed.out
    assert "read @later" in allowed.out


def test_missing_seeds_are_compared_without_named_and_end_with_4(
    readbench: Command, saved: Callable[..., Path], document: dict[str, Any]
) -> None:
    document["trials"] += [
        copy.deepcopy(trial) | {"seed": 3, "id": "3" * 16} for trial in document["trials"] if trial["allocator"] == "read"
    ][:1]
    outcome = readbench("compare", saved())
    assert outcome.code == 4
    assert "no pair for seed 3; 3 pairs are left" in outcome.out
    assert outcome.err.startswith("error: seeds are missing: read against uniform")
    assert outcome.err.count("\n") == 1


def test_files_hold_hostile_names_as_text(
    readbench: Command, tmp_path: Path, saved: Callable[..., Path], document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readbench.results.document.reading.load", lambda path: parsed(json.loads(path.read_text())))  # no check of names
    files = {kind: tmp_path / f"table.{kind}" for kind in ("markdown", "latex", "csv")}
    outcome = readbench(
        "compare", saved("h.json", named(document, HOSTILE)), *(x for kind, path in files.items() for x in (f"--{kind}", path))
    )
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    markdown, latex = files["markdown"].read_text(), files["latex"].read_text()
    assert "<script>" not in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {13}
    assert r"\input" not in latex
    assert all(line.count(" & ") == 11 for line in latex.splitlines() if line.endswith(r"\\"))
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    assert rows[0]["candidate"] == "'" + HOSTILE
    assert float(rows[0]["mean_difference"]) == pytest.approx(0.1)


def test_a_narrow_terminal_leaves_columns_out_and_says_so(document: dict[str, Any]) -> None:
    stream = io.StringIO()
    comparison = compare(parsed(document), reference="uniform")
    print_comparison(Console(file=stream, width=90, markup=False, highlight=False), comparison, title="t")
    assert "left out for lack of room: reference, p, p flips, d_z, MDE" in stream.getvalue()
    assert "+0.050 to +0.150" in stream.getvalue()


def test_equal_differences_are_marked_as_compared_exactly(readbench: Command, saved: Callable[..., Path]) -> None:
    outcome = readbench("compare", saved())
    assert "=: every seed differs by the same amount" in outcome.out


def refusals(document: dict[str, Any]) -> dict[str, tuple[Any, int, str]]:
    incomplete = copy.deepcopy(document)
    for trial in incomplete["trials"]:
        trial["status"] = "incomplete"
        for key in ("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"):
            trial[key] = None
    one_seed = copy.deepcopy(document)
    one_seed["trials"] = [trial for trial in one_seed["trials"] if trial["seed"] == 1]
    lacking = copy.deepcopy(document)
    del lacking["trials"][0]["metrics"]["utility"]
    return {
        "incomplete": (incomplete, 4, "0 seeds in common with uniform do not show a spread"),
        "one seed": (one_seed, 4, "1 seed in common with uniform does not show a spread"),
        "another schema": (document | {"schema": 7}, 2, "is of schema 7, this version reads 1"),
        "another file": ([1, 2], 2, "holds no results of readbench"),
        "a metric that is missing": (lacking, 2, "is damaged: trials.0.complete.metrics.utility: field required"),
        "no trials": (document | {"trials": []}, 2, "is damaged: trials: fewer than 1"),
    }


@pytest.mark.parametrize("case", ["incomplete", "one seed", "another schema", "another file", "a metric that is missing", "no trials"])
def test_what_cannot_be_compared_costs_one_line(
    readbench: Command, saved: Callable[..., Path], document: dict[str, Any], case: str
) -> None:
    content, code, said = refusals(document)[case]
    outcome = readbench("compare", saved("bad.json", content))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert said in outcome.err


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}'])
def test_a_damaged_file_is_named_in_one_line(readbench: Command, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    outcome = readbench("compare", path)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert str(path) in outcome.err


def test_an_empty_folder_is_no_run(readbench: Command, tmp_path: Path) -> None:
    outcome = readbench("compare", tmp_path)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "is not a run directory" in outcome.err


def test_comparing_needs_neither_torch_nor_the_models(saved: Callable[..., Path]) -> None:
    code = (
        "import sys; from readbench.views.cli.main import main; code = main(sys.argv[1:]); sys.exit(code or 10 * ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, "compare", str(saved())], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
