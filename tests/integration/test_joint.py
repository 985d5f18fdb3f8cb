"""A joint suite from its folder to the tables: items, the share of right steps, and a learning curve with gaps."""

from pathlib import Path

import pytest

from readbench.base.errors import ConfigError
from readbench.results.document.model import Results
from readbench.results.document.reading import load
from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.runs.studies.test_set import write_test_set
from readbench.trials.record.trial_file import read_trial
from support.commands import command
from support.suites import suite_text, write_suite

from .conftest import Bench

MORE = """composition: [{steps: [general_knowledge, tool_use], share: 3}, {steps: [tool_use, steerability, steerability]}]
defaults: {teacher: lab/teacher, student: lab/student, budget_tokens: 9000, num_intervals: 3, dev_every: 2}
"""
SETTINGS = {"num_probes": 9, "num_dev": 40, "max_new_tokens": 32}


def readbench(*arguments: str) -> str:
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("general_knowledge", "steerability", "tool_use", "math")
    text = suite_text(name="joint", more=MORE, **{name: f"source: lab.{name}" for name in names})
    folder = write_suite(tmp_path_factory.mktemp("suites") / "joint", text, test=[])
    write_test_set(folder, 400)
    return folder


@pytest.fixture(scope="module")
def run_dir(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "joint"
    sets = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    said = readbench(
        "run",
        "--suite",
        str(suite),
        "--allocators",
        "uniform,task-static",
        "--seeds",
        "1",
        "--set",
        "executor=inline",
        *sets,
        "--out",
        str(folder),
    )
    assert "steps right" in said
    return folder


def results_of(run_dir: Path) -> Results:
    return load(run_dir)


def test_the_utility_counts_items_and_stands_below_the_share_of_right_steps(run_dir: Path) -> None:
    results = results_of(run_dir)
    assert results.suite.requirement == pytest.approx({"general_knowledge": 1 / 3, "steerability": 2 / 9, "tool_use": 4 / 9, "math": 0})
    for trial in results.complete:
        assert 0 < trial.metrics.utility < trial.metrics.step_accuracy < 1
        assert (trial.metrics.utility * 400) % 1 == pytest.approx(0, abs=1e-9)


def test_the_learning_curve_is_measured_where_it_is_its_turn_and_at_the_end(run_dir: Path) -> None:
    for trial in results_of(run_dir).complete:
        measured = [interval.dev_utility is not None for interval in trial.intervals]
        assert measured == [False, True, True]
        assert [interval.tokens.dev > 0 for interval in trial.intervals] == measured
        curve = [trial.dev_utility_before, *(interval.dev_utility for interval in trial.intervals if interval.dev_utility is not None)]
        assert all((value * 40) % 1 == pytest.approx(0, abs=1e-9) for value in curve)
        assert min(curve) <= trial.metrics.auc <= max(curve)


def test_the_views_show_such_a_run(run_dir: Path, tmp_path: Path) -> None:
    readbench("report", str(run_dir), "-o", str(tmp_path / "report.html"))
    assert "share of items with every step right" in (tmp_path / "report.html").read_text()
    readbench("results", str(run_dir), "--csv", str(tmp_path))
    rows = [line for file in tmp_path.glob("*.csv") for line in file.read_text().splitlines() if ",step_accuracy," in line]
    assert len(rows) == 2


def test_an_interrupted_trial_ends_as_if_nothing_had_been(suite: Path, run_dir: Path, tmp_path: Path) -> None:
    flags = {"allocators": "uniform", "seeds": "1", **SETTINGS}
    (spec,) = plan(resolve(str(suite), environment={}, flags=flags)).trials
    bench = Bench(tmp_path / "run", spec)
    bench.run(stop_after=1)
    again = read_trial(bench.run())
    whole = next(trial for trial in results_of(run_dir).complete if trial.allocator == "uniform")
    assert again.final is not None
    assert again.final["utility"] == whole.metrics.utility
    assert [interval["dev_utility"] for interval in again.intervals] == [interval.dev_utility for interval in whole.intervals]


def test_too_few_dev_items_are_warned_of_and_an_empty_chain_is_refused(suite: Path) -> None:
    (warning,) = resolve(str(suite), environment={}, flags={"num_dev": 40}).warnings
    assert warning == "num_dev is 40: a share of so few items has a standard error of up to 0.08; 300 are enough"
    assert resolve(str(suite), environment={}, flags={"num_dev": 300}).warnings == ()
    with pytest.raises(ConfigError, match="2 items are too few for a composition of 2 chains"):
        resolve(str(suite), environment={}, flags={"num_dev": 2})


def test_scoring_again_gives_the_same(run_dir: Path) -> None:
    said = readbench("evaluate", str(run_dir))
    assert "on 400 items" in said
