"""`readbench results` with tables: what it writes, where it refuses, and that it stays what it was without them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.results import parsed

Readbench = Callable[..., Any]


@pytest.fixture
def run_dir(tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory of which one trial failed; its results are the document."""
    nothing = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    document["trials"][5] |= {"status": "failed", "failure": "the loss is not finite"} | nothing
    monkeypatch.setattr("readbench.trials.record.run_files.read_run", lambda _: {})
    monkeypatch.setattr("readbench.results.document.building.rebuild", lambda _: parsed(document))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_both_formats_hold_the_same_tables(run_dir: Path, tmp_path: Path, readbench: Readbench) -> None:
    done = readbench("results", run_dir, "--csv", tmp_path / "as" / "csv", "--parquet", tmp_path / "parquet")
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "as" / "csv").iterdir()) == ["intervals.csv", "metrics.csv"]
    assert sorted(path.name for path in (tmp_path / "parquet").iterdir()) == ["intervals.parquet", "metrics.parquet"]
    for name in ("metrics", "intervals"):
        read = pd.read_csv(tmp_path / "as" / "csv" / f"{name}.csv", dtype={"trial": str})
        pd.testing.assert_frame_equal(read, pd.read_parquet(tmp_path / "parquet" / f"{name}.parquet"), check_dtype=False)


def test_the_tables_rebuild_the_documents_numbers(run_dir: Path, tmp_path: Path, readbench: Readbench, document: dict[str, Any]) -> None:
    assert readbench("results", run_dir, "--csv", tmp_path).code == 0
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for trial in document["trials"]:
        own = {row["metric"]: row["value"] for row in rows if row["trial"] == trial["id"]}
        assert {row["status"] for row in rows if row["trial"] == trial["id"]} == {trial["status"]}
        if trial["status"] == "failed":
            assert set(own.values()) == {""}
        else:
            assert {name: float(own[name]) for name in trial["metrics"]} == trial["metrics"]
            assert {c: float(own[f"profile.{c}"]) for c in trial["profile"]["after"]} == trial["profile"]["after"]
            assert {kind: int(own[f"tokens.{kind}"]) for kind in trial["tokens"]} == trial["tokens"]


def test_standard_output_is_what_it_was(run_dir: Path, tmp_path: Path, readbench: Readbench, document: dict[str, Any]) -> None:
    plain = readbench("results", run_dir)
    with_tables = readbench("results", run_dir, "--csv", tmp_path / "csv")
    assert (plain.code, plain.out, plain.err) == (with_tables.code, with_tables.out, with_tables.err)
    as_json = readbench("results", run_dir, "--csv", tmp_path / "csv", "--json")
    assert json.loads(as_json.out) == document


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    run_dir: Path, tmp_path: Path, readbench: Readbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setattr("readbench.results.document.building.rebuild", lambda _: pytest.fail("it went to work"))
    done = readbench("results", run_dir, "--parquet", tmp_path / "file")
    assert done.code == 5
    assert done.err == f"error: cannot write to {tmp_path / 'file'}: File exists; give a folder that can be written to\n"
    assert (tmp_path / "file").read_text() == "kept"


def test_what_is_no_run_directory_makes_no_folder(tmp_path: Path, readbench: Readbench) -> None:
    assert readbench("results", tmp_path / "nothing", "--csv", tmp_path / "csv").code == 2
    assert list(tmp_path.iterdir()) == []
