"""MLflow: one experiment a suite, one parent run a readbench run, one child run a trial.

Goes to ``MLFLOW_TRACKING_URI`` where that is set, else to a SQLite file in the run directory (MLflow's plain-file store is in maintenance
mode and refuses to open). Written against `mlflow-skinny`, MLflow without its server, which needs SQLAlchemy and Alembic for SQLite.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from readbench.api import RunInfo, TrialInfo, Value, tracker
from readbench.base.files import make_folder
from readbench.views.trackers.values import flat_config

_PARENT = "mlflow.parentRunId"  # how MLflow nests runs
_NAME = "mlflow.runName"
_KEY, _TRIAL = "readbench_key", "readbench_trial"  # how a resumed run finds its runs again


@tracker("mlflow", needs=("mlflow", "sqlalchemy", "alembic"))
class MlflowRecorder:
    """One experiment a suite, one parent run a readbench run, one child run a trial."""

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent that the user has not asked for
        from mlflow import MlflowClient, entities

        self._entities = entities
        self._make_client = MlflowClient
        self._children: dict[str, str] = {}  # run ids by trial id

    def start(self, run: RunInfo, key: str) -> None:
        """Finds or makes the experiment and the parent run."""
        folder = run.folder / "mlflow"
        local = "MLFLOW_TRACKING_URI" not in os.environ
        if local:
            make_folder(folder)
        self._client = self._make_client(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}" if local else None)
        known = self._client.get_experiment_by_name(run.suite)
        artifacts = (folder / "artifacts").as_uri() if local else None
        self._experiment = known.experiment_id if known is not None else self._client.create_experiment(run.suite, artifacts)
        self._key = key
        self._parent = self._open(run.name, flat_config(run.config), {_TRIAL: "-"})

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """Metrics of the trial's child run, over charged tokens."""
        self._log(self._child(trial), values, step)

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:
        """The final metrics; the child run is FINISHED or FAILED."""
        self._log(self._child(trial), values, step)
        self._client.set_terminated(self._child(trial), "FINISHED" if complete else "FAILED")

    def close(self, results: Path | None) -> None:
        """results.json becomes the parent's artifact; a run that was stopped is KILLED until it resumes."""
        if results is not None:
            self._client.log_artifact(self._parent, str(results))
        self._client.set_terminated(self._parent, "FINISHED" if results is not None else "KILLED")

    def _child(self, trial: TrialInfo) -> str:
        if trial.id not in self._children:
            tags = {_TRIAL: trial.id, _PARENT: self._parent}
            self._children[trial.id] = self._open(trial.name, trial.parameters(), tags)
        return self._children[trial.id]

    def _open(self, name: str, parameters: Mapping[str, Value], tags: Mapping[str, str]) -> str:
        """The id of this readbench run's MLflow run for a trial ("-": the parent), found again or made."""
        condition = f"tags.{_KEY} = '{self._key}' and tags.{_TRIAL} = '{tags[_TRIAL]}'"
        found = self._client.search_runs([self._experiment], condition)
        if found:
            found_id: str = found[0].info.run_id
            self._client.update_run(found_id, status="RUNNING")
            return found_id
        made: str = self._client.create_run(self._experiment, tags={_NAME: name, _KEY: self._key, **tags}).info.run_id
        self._client.log_batch(made, params=[self._entities.Param(key, str(value)) for key, value in parameters.items()])
        return made

    def _log(self, run_id: str, values: Mapping[str, float], step: int) -> None:
        now = round(time.time() * 1000)
        self._client.log_batch(run_id, metrics=[self._entities.Metric(name, value, now, step) for name, value in values.items()])
