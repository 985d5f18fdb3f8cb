"""Weights & Biases: one W&B run a trial, grouped by readbench run, in the project of the suite's name (or ``WANDB_PROJECT``).

The mode, the server and the key are W&B's own environment variables (``WANDB_MODE=offline`` writes to ``RUN/wandb`` alone).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readbench.api import RunInfo, TrialInfo, tracker
from readbench.views.trackers.values import flat_config


@tracker("wandb", needs=("wandb",))
class WandbRecorder:
    """One W&B run a trial, grouped by readbench run, in the suite's project."""

    def __init__(self) -> None:
        import wandb

        self._wandb = wandb
        self._runs: dict[str, Any] = {}  # W&B's, by trial id
        self._quiet = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            save_code=False,
            x_disable_meta=True,  # host, user, command line
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )

    def start(self, run: RunInfo, key: str) -> None:
        """Remembers the run: W&B's are opened with a trial's first figures."""
        self._run, self._key = run, key

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """One step of the trial's run."""
        self._open(trial).log(dict(values), step=step)

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:  # noqa: ARG002 - a summary has no step
        """The final metrics, as the run's summary."""
        run = self._open(trial)
        run.summary.update(dict(values))
        run.finish(exit_code=0 if complete else 1)
        del self._runs[trial.id]

    def close(self, results: Path | None) -> None:  # noqa: ARG002 - W&B is given numbers only
        """Ends the runs of trials that have not ended; they resume under the same id."""
        for run in self._runs.values():
            run.finish(exit_code=1)

    def _open(self, trial: TrialInfo) -> Any:
        if trial.id not in self._runs:
            self._runs[trial.id] = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", self._run.suite),
                group=self._run.name,
                name=trial.name,
                id=f"{self._key}-{trial.id}",
                resume="allow",
                reinit="create_new",  # trials run side by side
                config={**flat_config(self._run.config), **trial.parameters()},
                dir=str(self._run.folder),
                settings=self._quiet,
            )
        return self._runs[trial.id]
