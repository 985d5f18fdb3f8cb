"""trackio: one trackio run a trial, grouped by readbench run, in the project of the suite's name.

trackio decides where to keep it: in its folder on this machine, or where its environment variables say.
"""

import contextvars
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readbench.api import RunInfo, TrialInfo, tracker
from readbench.views.trackers.values import flat_config


@tracker("trackio", needs=("trackio",))
class TrackioRecorder:
    """One trackio run a trial, grouped by readbench run, in the suite's project."""

    def __init__(self) -> None:
        import trackio

        self._init = trackio.init
        self._runs: dict[str, Any] = {}  # trackio's, by trial id

    def start(self, run: RunInfo, key: str) -> None:
        """Remembers the run: trackio's are opened with a trial's first figures."""
        self._run, self._key = run, key

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """One step of the trial's run."""
        self._open(trial).log(dict(values), step=step)

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:  # noqa: ARG002 - no place for it
        """The final metrics, at the last step."""
        run = self._open(trial)
        if values:
            run.log(dict(values), step=step)

    def close(self, results: Path | None) -> None:  # noqa: ARG002 - trackio is given numbers only
        """Writes what is still in trackio's queues."""
        for run in self._runs.values():
            run.finish()

    def _open(self, trial: TrialInfo) -> Any:
        if trial.id not in self._runs:
            # trackio ends the run of its context when another begins there: each trial has a context of its own
            self._runs[trial.id] = contextvars.Context().run(
                self._init,
                project=self._run.suite,
                name=f"{self._run.name}-{trial.name}-{self._key}",  # what trackio finds a run by
                group=self._run.name,
                resume="allow",
                config={**flat_config(self._run.config), **trial.parameters()},
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return self._runs[trial.id]
