"""MLflow for real: a run is told to it and read back with its own client."""

from pathlib import Path
from typing import Any

import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")


@pytest.fixture
def client(story: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store of a run that was stopped once and went on."""
    from readbench.views.trackers.recorders.mlflow import MlflowRecorder

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(story.run.folder)
    story.tell("mlflow", MlflowRecorder)
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{story.run.folder / 'mlflow' / 'mlflow.db'}")


def test_a_run_and_its_trials_are_found_in_mlflow(client: Any, story: Any) -> None:
    experiment = client.get_experiment_by_name("tiny")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["a-run", "read-s0", "uniform-s0"]  # a resumed run has opened no second one
    assert {run.info.status for run in runs.values()} == {"FINISHED"}

    parent, read = runs["a-run"], runs["read-s0"]
    assert parent.data.params == {"seeds": "0", "budget_tokens": "2000", "training.learning_rate": "0.0005"}
    assert read.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert read.data.params == {
        "allocator": "read",
        "objective": "sft",
        "budget_tokens": "2000",
        "seed": "0",
        "trial": "a" * 16,
        "params.kappa": "0.5",
    }
    assert read.data.metrics["utility"] == 0.75
    assert read.data.metrics["tokens/trained"] == 8000

    history = client.get_metric_history(read.info.run_id, "profile/math")
    assert [(point.step, point.value) for point in history] == [(1000, 0.25), (2000, 0.5)]
    assert len(client.get_metric_history(read.info.run_id, "utility")) == 1
    assert [artifact.path for artifact in client.list_artifacts(parent.info.run_id)] == ["results.json"]
    assert sorted(path.name for path in Path().iterdir()) == ["mlflow", "results.json", "trackers"]  # nothing where the run was called


def test_a_stopped_run_is_killed_and_a_failed_trial_failed(story: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from readbench.views.trackers.recorders.mlflow import MlflowRecorder

    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    following = story.follow("mlflow", MlflowRecorder())
    following.observe(story.event("a" * 16, 0))
    following.conclude(None)
    client = mlflow.MlflowClient(tracking_uri=uri)
    ids = [client.get_experiment_by_name("tiny").experiment_id]
    assert {run.info.run_name: run.info.status for run in client.search_runs(ids)} == {"a-run": "KILLED", "read-s0": "RUNNING"}
    story.follow("mlflow", MlflowRecorder()).conclude(story.ending(status={"a" * 16: "failed"}))
    statuses = {run.info.run_name: run.info.status for run in client.search_runs(ids)}
    assert statuses == {"a-run": "FINISHED", "read-s0": "FAILED", "uniform-s0": "FINISHED"}
