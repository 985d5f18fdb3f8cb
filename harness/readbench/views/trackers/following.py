"""Turns a run's events, and at its end its results, into the calls that a recorder expects.

Events carry the intervals while they happen. What no event told (the tracker was off, or the process was killed before it
listened) comes from the results, so that the recorder ends up with every interval once and in order.
"""

from dataclasses import dataclass
from pathlib import Path

from readbench.api import Recorder, RunInfo
from readbench.results.document.model import TrialResult
from readbench.trials.events import Event
from readbench.trials.record.interval import Interval
from readbench.views.trackers.progress import Progress
from readbench.views.trackers.values import final_values, interval_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The run is over, with these results in that file."""

    trials: tuple[TrialResult, ...]
    file: Path


class Following:
    """One recorder that follows one run."""

    def __init__(self, recorder: Recorder, run: RunInfo, progress: Progress) -> None:
        self._recorder = recorder
        self._run = run
        self._progress = progress
        recorder.start(run, progress.key)

    def observe(self, event: Event) -> None:
        """Passes an interval on where it is the next one of its trial; after a gap all waits for the results."""
        if event.done is not None and event.interval == self._progress.intervals(event.trial) + 1:
            self._interval(event.trial, event.done, step=event.charged_tokens)

    def conclude(self, ending: Ending | None) -> None:
        """The run is over, or was stopped (None)."""
        for trial in () if ending is None else ending.trials:
            self._catch_up(trial)
        self._recorder.close(None if ending is None else ending.file)

    def _catch_up(self, trial: TrialResult) -> None:
        known, step = self._progress.intervals(trial.id), 0
        for number, interval in enumerate(trial.intervals):
            step += interval.tokens.charged
            if number >= known:
                self._interval(trial.id, interval, step=step)
        if trial.status != "incomplete" and not self._progress.ended(trial.id):
            complete = trial.status == "complete"
            self._recorder.end_trial(self._run.trials[trial.id], final_values(trial), step=step, complete=complete)
            if complete:
                self._progress.add_end(trial.id)

    def _interval(self, trial: str, interval: Interval, *, step: int) -> None:
        self._recorder.interval(self._run.trials[trial], interval_values(interval), step=step)
        self._progress.add_interval(trial)
