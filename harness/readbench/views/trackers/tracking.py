"""All of a run's sinks at once: each is told what happens, and what fails among them is told to the user."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from readbench.api import RunInfo, TrialInfo
from readbench.base.errors import SurroundingError
from readbench.base.plugins import registry
from readbench.trials.events import Event
from readbench.trials.spec import TrialSpec, trial_names
from readbench.views.trackers.following import Ending
from readbench.views.trackers.sink import Sink

CLOSE_SECONDS = 60.0  # that the end of a run waits for its sinks, together
PATIENCE_SECONDS = 5.0  # after which it says so


def check_installed(names: Sequence[str]) -> None:
    """SurroundingError where a tracker's library is missing: before a run begins, not in the middle of it."""
    for name in names:
        found = registry().found["tracker", name]
        missing = [module for module in found.plugin.needs if find_spec(module) is None]
        if missing:
            ours = found.distribution == "readbench"
            hint = f"pip install {f'readbench[{name}]'!r}" if ours else f"install it with {found.distribution}, which brings the tracker"
            raise SurroundingError(f"tracker {name!r} needs {', '.join(missing)}", hint=hint)


def run_info(run_dir: Path, run: Mapping[str, Any], trials: Sequence[TrialSpec]) -> RunInfo:
    """What the trackers learn about the run with that ``run.json``."""
    names = trial_names(trials)
    return RunInfo(
        folder=run_dir.absolute(),
        suite=run["suite"]["name"],
        config=run["identity"],
        trials={
            spec.id: TrialInfo(
                id=spec.id,
                allocator=spec.allocator,
                objective=spec.objective,
                budget_tokens=spec.budget_tokens,
                seed=spec.seed,
                params=spec.params,
                name=f"{names[spec.id].replace('/', '-')}-s{spec.seed}",
            )
            for spec in trials
        },
    )


class Tracking:
    """A context: at its end every sink has been told that the run is over.

    Passes every event on to `observe` first, which also learns of a sink that was dropped.
    """

    def __init__(
        self, names: Sequence[str], run: RunInfo, *, observe: Callable[[Event], None], close_seconds: float = CLOSE_SECONDS
    ) -> None:
        self._observe = observe
        self._sinks = [Sink(name, run) for name in names]
        self._close_seconds = close_seconds

    def observe(self, event: Event) -> None:
        """Passes the event to every sink."""
        self._observe(event)
        for sink in self._sinks:
            if event.done is not None:
                sink.send(event)
            self._tell(sink, sink.failure())

    def conclude(self, ending: Ending | None) -> None:
        """The run is over, or was stopped (None). Waits until the sinks have it all; a second call does nothing."""
        deadline = time.monotonic() + self._close_seconds
        for sink in self._sinks:
            sink.send(ending)
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
