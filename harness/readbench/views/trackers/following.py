"""Turns a run's events, and at its end the results document, into the calls that a recorder expects.

Events carry the intervals while they happen. What no event told (the tracker was off, or the process was killed before it listened) is
made good from the results document, so that the sink ends up with every interval once and in order.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readbench.api import Recorder, RunInfo
from readbench.base.files import read_json
from readbench.trials.events import Event
from readbench.views.trackers.progress import Progress
from readbench.views.trackers.values import final_values, interval_tokens, interval_values


class Following:
    """One recorder that follows one run."""

    def __init__(self, recorder: Recorder, run: RunInfo, progress: Progress) -> None:
        self._recorder = recorder
        self._run = run
        self._progress = progress
        recorder.start(run, progress.key)

    def observe(self, event: Event) -> None:
        """Passes an interval on where it is the next one of its trial; after a gap all waits for the document."""
        if event.record is not None and event.interval == self._progress.intervals(event.trial) + 1:
            self._interval(event.trial, event.record, step=event.charged_tokens)

    def conclude(self, results: Path | None) -> None:
        """The run is over, with a results.json, or stopped."""
        if results is not None:
            for trial in read_json(results)["trials"]:
                self._catch_up(trial)
        self._recorder.close(results)

    def _catch_up(self, trial: Mapping[str, Any]) -> None:
        known, step = self._progress.intervals(trial["id"]), 0
        for interval, record in enumerate(trial["intervals"]):
            step += interval_tokens(record)
            if interval >= known:
                self._interval(trial["id"], record, step=step)
        if trial["status"] != "incomplete" and not self._progress.ended(trial["id"]):
            complete = trial["status"] == "complete"
            self._recorder.end_trial(self._run.trials[trial["id"]], final_values(trial), step=step, complete=complete)
            if complete:
                self._progress.add_end(trial["id"])

    def _interval(self, trial: str, record: Mapping[str, Any], *, step: int) -> None:
        self._recorder.interval(self._run.trials[trial], interval_values(record), step=step)
        self._progress.add_interval(trial)
