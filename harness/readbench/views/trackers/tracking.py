"""All of a run's sinks at once: each is told what happens, and what fails among them is told to the user."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from readbench.trials.events import Event
from readbench.views.trackers import TRACKERS
from readbench.views.trackers.recorder import RunInfo
from readbench.views.trackers.sink import Sink

CLOSE_SECONDS = 60.0  # that the end of a run waits for its sinks, together
PATIENCE_SECONDS = 5.0  # after which it says so


class Tracking:
    """A context: at its end every sink has been told that the run is over.

    Passes every event on to `observe` first, which also learns of a sink that was dropped.
    """

    def __init__(
        self, names: Sequence[str], run: RunInfo, *, observe: Callable[[Event], None], close_seconds: float = CLOSE_SECONDS
    ) -> None:
        self._observe = observe
        self._sinks = [Sink(name, TRACKERS[name].recorder, run) for name in names]
        self._close_seconds = close_seconds

    def observe(self, event: Event) -> None:
        """Tells everyone."""
        self._observe(event)
        for sink in self._sinks:
            if event.record is not None:
                sink.send(event)
            self._tell(sink, sink.failure())

    def conclude(self, results: Path | None) -> None:
        """The run is over: with its results.json, or stopped (None). Waits until the sinks have it all; a second call does nothing."""
        deadline = time.monotonic() + self._close_seconds
        for sink in self._sinks:
            sink.send(results)
        for sink in self._sinks:
            if not sink.is_done(min(PATIENCE_SECONDS, self._close_seconds)):
                self._observe(Event(kind="warning", message=f"waiting up to {self._close_seconds:.0f} s for tracker {sink.name}"))
            self._tell(sink, sink.end(max(0.0, deadline - time.monotonic())))
        self._sinks = []

    def _tell(self, sink: Sink, failure: str | None) -> None:
        if failure is not None:
            self._observe(Event(kind="warning", message=f"tracker {sink.name} was dropped, the run continues: {failure}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.conclude(None)
