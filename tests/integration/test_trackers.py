"""One short run with trackers and without: what the trackers hold is what the run measured, and the run is the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")
pytest.importorskip("tensorboard")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # SQLAlchemy's about MLflow's own code

SHORT = ("--suite", "multilingual", "--budget", "5000", "--intervals", "2", "--set", "num_probes=4", "--set", "num_dev=4")
GRID = ("--allocators", "uniform,one-hot", "--seeds", "1", "--set", "executor=inline", "--json")
CANARY = "canary-71c5e0aa"


def run(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run into a folder, with a secret in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "READBENCH"))}
    command = [sys.executable, "-m", "readbench", "run", *SHORT, *GRID, "--out", str(out), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=out.parent, env=environment | {"SOME_API_KEY": CANARY, "CI": "1"}
    )


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on when and where it was computed."""
    trials = [{key: value for key, value in trial.items() if key != "seconds"} for trial in document["trials"]]
    return {key: value for key, value in document.items() if key not in ("run", "environment")} | {"trials": trials}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("tracked") / "run"
    return out, run(out, "--track", "mlflow,tensorboard")


def test_trackers_change_no_result_and_leave_standard_output_alone(
    tracked: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    _, done = tracked
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    alone = run(tmp_path / "run")
    assert alone.returncode == 0, alone.stderr
    assert comparable(json.loads(done.stdout)) == comparable(json.loads(alone.stdout))
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.name in ("mlflow", "tensorboard", "trackers")) == []
    assert json.loads(done.stdout)["environment"]["trackers"] == ["mlflow", "tensorboard"]


def test_the_trackers_hold_what_the_run_measured(tracked: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, done = tracked
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow' / 'mlflow.db'}")
    ids = [client.get_experiment_by_name("multilingual").experiment_id]
    by_trial = {found.data.tags["readbench_trial"]: found for found in client.search_runs(ids)}
    for trial in json.loads(done.stdout)["trials"]:
        step, expected = 0, []
        for record in trial["intervals"]:
            step += record["tokens"]["generated"] + record["tokens"]["trained"]
            expected.append((step, record["profile"]["math"]))
        in_mlflow = by_trial[trial["id"]]
        history = client.get_metric_history(in_mlflow.info.run_id, "profile/math")
        assert [(point.step, point.value) for point in history] == expected
        assert in_mlflow.data.metrics["utility"] == trial["metrics"]["utility"]
        assert in_mlflow.data.params["allocator"] == trial["allocator"]
        events = EventAccumulator(str(out / "tensorboard" / f"{trial['allocator']}-s{trial['seed']}")).Reload()
        assert [(point.step, point.value) for point in events.Scalars("profile/math")] == [(s, pytest.approx(v)) for s, v in expected]
        assert [point.step for point in events.Scalars("utility")] == [step]


def test_the_same_command_again_counts_nothing_twice(tracked: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, _ = tracked
    books = {path.name: path.read_bytes() for path in (out / "trackers").iterdir()}
    again = run(out, "--track", "mlflow,tensorboard")
    assert again.returncode == 0, again.stderr
    assert {path.name: path.read_bytes() for path in (out / "trackers").iterdir()} == books
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow' / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("multilingual").experiment_id])
    assert len(found) == 3
    assert [len(client.get_metric_history(r.info.run_id, "utility")) for r in found if "allocator" in r.data.params] == [1, 1]


def test_no_secret_of_the_environment_is_anywhere(tracked: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = tracked
    assert CANARY not in done.stdout + done.stderr
    for path in out.rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path


def test_the_exported_tables_hold_the_runs_numbers(tracked: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    import pandas as pd

    out, done = tracked
    command = [sys.executable, "-m", "readbench", "results", str(out), "--csv", str(tmp_path), "--parquet", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    for read in (pd.read_parquet(tmp_path / "intervals.parquet"), pd.read_csv(tmp_path / "intervals.csv")):
        for trial in json.loads(done.stdout)["trials"]:
            rows = read[(read.allocator == trial["allocator"]) & (read.capability == "math")]
            assert rows.profile.tolist() == pytest.approx([record["profile"]["math"] for record in trial["intervals"]])
            assert rows.profile_before.tolist()[0] == pytest.approx(trial["profile"]["before"]["math"])
            assert rows.tokens_charged.sum() == trial["tokens"]["generated"] + trial["tokens"]["trained"]
