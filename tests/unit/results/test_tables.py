"""The long tables: their rows are the document's numbers, and files of them are read back to the same numbers."""

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from readbench.base.documents import typed
from readbench.base.errors import SurroundingError
from readbench.base.files import open_folder
from readbench.results.tables import interval_rows, metric_names, metric_rows, write_csv, write_parquet
from readbench.trials.record.interval import Interval
from support.results import parsed

CAPABILITIES = ["math", "code"]
SECONDS = ("total", "teacher", "train", "probe", "eval", "allocator", "rollout")
METRICS = ("utility", "step_accuracy", "utility_before", "utility_gain", "profile_gain", "spillover", "collateral", "waste", "auc")


def interval(number: int, after: float) -> dict[str, Any]:
    return {
        "interval": number,
        "requested": {"math": 0.75, "code": 0.25},
        "allocation": {"math": 1.0, "code": 0.0},
        "examples": {"math": 7, "code": 0},
        "verified": {"math": 6, "code": 0},
        "tokens": {"generated": 100 + number, "trained": 900, "probe": 9, "dev": 8},
        "profile": {"math": after, "code": 0.1},
        "exact_match": {"math": 0.5, "code": 0.0},
        "dev_utility": 1 / 3,
        "train_loss": {"math": 0.1 + 0.2, "code": None},
        "reward": -0.0625,
        "epsilon": 1e-17,
    }


def trial(allocator: str, seed: int, status: str = "complete") -> dict[str, Any]:
    by_capability = {"before": {"math": 0.2, "code": 0.1}, "after": {"math": 0.7, "code": 0.1}}
    complete = {
        "tokens": {"generated": 201, "trained": 1800, "probe": 27, "dev": 16, "eval": 50},
        "metrics": {name: (place + seed) / 7 - 0.5 for place, name in enumerate(METRICS)},
        "profile": by_capability,
        "exact_match": by_capability,
        "allocation": {"math": 1.0, "code": 0.0},
        "seconds": dict.fromkeys(SECONDS, 0.25),
    }
    return {
        "id": f"{allocator}-{seed}",
        "allocator": allocator,
        "params": {"kappa": 0.5},
        "objective": "sft",
        "seed": seed,
        "budget_tokens": 2_100,
        "dev_utility_before": 0.25,
        "status": status,
        "intervals": [interval(0, 0.4), interval(1, 0.7)],
        **(complete if status == "complete" else dict.fromkeys(complete)),
    }


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "run": "a-run",
        "suite": {"name": "tiny", "version": 3, "capabilities": CAPABILITIES},
        "trials": [trial("read", 0), trial("read", 1), trial("uniform", 0), trial("uniform", 1, "failed")],
    }


def test_every_trial_has_a_row_for_every_metric(document: dict[str, Any]) -> None:
    rows = metric_rows(parsed(document))
    names = metric_names(CAPABILITIES)
    assert len(names) == len(set(names)) == 8 + 2 + 2 + 4 * 2 + 8 + 7
    assert [(row.trial, row.metric) for row in rows] == [(t["id"], name) for t in document["trials"] for name in names]
    first = {row.metric: row.value for row in rows if row.trial == "read-0"}
    assert first["utility"] == document["trials"][0]["metrics"]["utility"]
    assert (first["profile.math"], first["profile_before.math"], first["tokens.trained"]) == (0.7, 0.2, 1800)
    assert None not in first.values()
    unfinished = [row for row in rows if row.trial == "uniform-1"]
    assert {(row.status, row.value) for row in unfinished} == {("failed", None)}


def test_a_loss_may_lie_below_zero() -> None:
    """A divergence from an equal teacher is 0 but for rounding; an objective of a plug-in may be anything."""
    written = {**interval(0, 0.4), "train_loss": {"math": -3e-9, "code": None}}
    assert typed(Interval, written, "here").train_loss == {"math": -3e-9, "code": None}


def test_every_interval_has_a_row_for_every_capability(document: dict[str, Any]) -> None:
    rows = [row for row in interval_rows(parsed(document)) if row.trial == "read-0"]
    assert [(row.interval, row.capability) for row in rows] == [(0, "math"), (0, "code"), (1, "math"), (1, "code")]
    assert [row.profile_before for row in rows] == [0.2, 0.1, 0.4, 0.1]  # of the trial, then of the interval before
    assert [row.tokens_charged for row in rows] == [1000, 1000, 1001, 1001]
    assert rows[1].train_loss is None
    assert json.loads(rows[0].params) == {"kappa": 0.5}


def test_an_unfinished_trial_shows_the_intervals_that_it_has(document: dict[str, Any]) -> None:
    rows = [row for row in interval_rows(parsed(document)) if row.trial == "uniform-1"]
    assert {row.status for row in rows} == {"failed"}
    assert [row.profile_before for row in rows] == [None, None, 0.4, 0.1]  # where it began stands in no results


def test_csv_is_read_back_to_the_same_numbers(document: dict[str, Any], tmp_path: Path) -> None:
    write_csv(parsed(document), tmp_path)
    for name, rows in (("metrics", metric_rows(parsed(document))), ("intervals", interval_rows(parsed(document)))):
        read = list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text(encoding="utf-8"))))
        expected = [{key: "" if value is None else str(value) for key, value in asdict(row).items()} for row in rows]
        assert read == expected  # str of a float is the shortest text that is read back to the same bits


def test_parquet_is_read_back_to_the_same_numbers_and_types(document: dict[str, Any], tmp_path: Path) -> None:
    write_parquet(parsed(document), tmp_path)
    for name, rows in (("metrics", metric_rows(parsed(document))), ("intervals", interval_rows(parsed(document)))):
        read = pd.read_parquet(tmp_path / f"{name}.parquet")
        for column in read:
            for value, row in zip(read[column], rows, strict=True):
                expected = getattr(row, str(column))
                assert value == expected or (expected is None and math.isnan(value))
        assert read["seed"].dtype == "int64"
    assert pd.read_parquet(tmp_path / "metrics.parquet")["value"].dtype == "float64"


def test_tables_without_a_row_keep_their_columns_and_types(document: dict[str, Any], tmp_path: Path) -> None:
    empty = document | {"trials": [trial("read", 0, "incomplete") | {"intervals": []}]}
    write_csv(parsed(empty), tmp_path)
    write_parquet(parsed(empty), tmp_path)
    read = pd.read_parquet(tmp_path / "intervals.parquet")
    assert len(read) == 0
    assert read["train_loss"].dtype == "float64"
    assert (tmp_path / "intervals.csv").read_text().startswith("run,suite,")
    assert pd.read_parquet(tmp_path / "metrics.parquet")["value"].dtype == "float64"


@pytest.mark.parametrize("name", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_foreign_text_is_no_formula_and_a_number_is_left_alone(document: dict[str, Any], tmp_path: Path, name: str) -> None:
    write_csv(parsed(document | {"run": name}), tmp_path)
    text = (tmp_path / "intervals.csv").read_bytes().decode()
    first = next(csv.DictReader(io.StringIO(text, newline="")))
    assert first["run"] == f"'{name}"
    assert first["reward"] == "-0.0625"


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SurroundingError, match="cannot write to"):
        open_folder(tmp_path / "file")
    open_folder(tmp_path / "made" / "here")
    assert list((tmp_path / "made" / "here").iterdir()) == []
