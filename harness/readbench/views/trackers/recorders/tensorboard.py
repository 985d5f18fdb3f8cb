"""TensorBoard: one folder of event files a trial, ``RUN/tensorboard/<allocator>-s<seed>``, over charged tokens.

Written with TensorBoard's own event writer: torch's, and tensorflow's, would cost a second and a gigabyte to say the same.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readbench.api import RunInfo, TrialInfo, tracker


@tracker("tensorboard", needs=("tensorboard",))
class TensorboardRecorder:
    """One folder of event files a trial, RUN/tensorboard/ALLOCATOR-sSEED."""

    def __init__(self) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._make_writer = EventFileWriter
        self._writers: dict[str, Any] = {}  # by trial id

    def start(self, run: RunInfo, key: str) -> None:  # noqa: ARG002 - a trial's folder tells it from all others
        """Remembers where the folders go."""
        self._folder = run.folder / "tensorboard"

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """One scalar a value."""
        if trial.id not in self._writers:
            self._writers[trial.id] = self._make_writer(str(self._folder / trial.name))
        writer = self._writers[trial.id]
        scalars = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        writer.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary(value=scalars)))
        writer.flush()

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:  # noqa: ARG002 - no place for it
        """The final metrics, as scalars with a single point."""
        self.interval(trial, values, step=step)

    def close(self, results: Path | None) -> None:  # noqa: ARG002 - event files hold scalars
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
