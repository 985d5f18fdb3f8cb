"""A real run through the command line, small: its streams, its files, and what the same command does a second time."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from readbench.results.document.reading import load
from support.results import parsed

COMMAND = [sys.executable, "-m", "readbench"]
SMALL = ["--suite", "multilingual", "--intervals", "2", "--set", "num_probes=4", "--set", "num_dev=4", "--workers", "2"]
Done = subprocess.CompletedProcess[str]
Finished = tuple[Path, Done]
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "CI": "1"}


def run_into(out: Path, *arguments: str) -> Done:
    command = [*COMMAND, "run", *SMALL, "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=out.parent)


GRID = ["--allocators", "uniform,one-hot", "--seeds", "1,4", "--budget", "5000"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    out = tmp_path_factory.mktemp("runs") / "small"
    return out, run_into(out, *GRID, "--json")


def test_json_alone_is_on_standard_output_and_matches_the_schema(finished: Finished) -> None:
    out, done = finished
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, json.loads((files("readbench.results") / "schemas" / "results-1.json").read_text(encoding="utf-8")))
    assert parsed(document) == load(out)
    assert [(t["allocator"], t["seed"]) for t in document["trials"]] == [("uniform", 1), ("uniform", 4), ("one-hot", 1), ("one-hot", 4)]


def test_standard_error_tells_what_happened_in_plain_lines(finished: Finished) -> None:
    _, done = finished
    lines = done.stderr.splitlines()
    assert lines[0] == "4 trials, 20,000 tokens"
    ends = [line for line in lines if "finished" in line]
    assert [line[:5] for line in ends] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert "\x1b" not in done.stderr


def test_same_command_again_says_that_all_is_done(finished: Finished, readbench: Callable[..., Any]) -> None:
    out, _ = finished
    before = sorted((path, path.stat().st_mtime_ns) for path in out.rglob("trial.sqlite"))
    again = readbench("run", *SMALL, *GRID, "--out", out)
    assert again.code == 0
    assert again.err == "all 4 trials are complete: nothing to run\n"
    assert "utility" in again.out
    assert again.out.splitlines()[-1] == f"next:    readbench report {out}"
    assert sorted((path, path.stat().st_mtime_ns) for path in out.rglob("trial.sqlite")) == before


def test_two_seeds_are_too_few_to_compare(finished: Finished, readbench: Callable[..., Any]) -> None:
    out, _ = finished
    compared = readbench("compare", out)
    assert (compared.code, compared.out) == (4, "")
    assert "2 seeds in common with uniform do not show a spread" in compared.err


def test_dry_run_writes_nothing(readbench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("READBENCH_TRAINING__LEARNING_RATE", "1e-4")
    shown = readbench("run", *SMALL, *GRID, "--dry-run")
    assert shown.code == 0
    rows = {line.split()[0]: " ".join(line.split()) for line in shown.out.splitlines() if line.strip()}
    assert rows["budgets"] == "budgets 5000 flag --budgets"
    assert rows["training.learning_rate"] == "training.learning_rate 0.0001 environment READBENCH_TRAINING__LEARNING_RATE"
    assert rows["num_probes"] == "num_probes 4 --set num_probes"
    assert re.search(r"^4 trials, at most 20,000 tokens charged, about .*; nothing was written$", shown.out, re.MULTILINE)
    document = readbench("run", *SMALL, *GRID, "--dry-run", "--json").json()
    assert (document["num_trials"], document["budget_tokens"], document["config"]["seeds"]) == (4, 20_000, [1, 4])
    assert list(tmp_path.iterdir()) == []
