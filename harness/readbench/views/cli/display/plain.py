"""Plain lines: for a log file, a pipe or CI. One line at the end of each trial, and a sign of life every half minute."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TextIO

from readbench.views.cli.display.progress import ENDED, Progress, headline
from readbench.views.console.text import duration_text, tokens_text, write_line

if TYPE_CHECKING:
    from readbench.trials.events import Event

SILENCE_SECONDS = 30.0


class PlainDisplay:
    """Writes to a stream; `clock` gives seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._progress = Progress(clock)
        self._last_line = clock()

    def observe(self, event: "Event") -> None:
        """Writes a line if the event is worth one."""
        self._progress.observe(event)
        if event.kind in ENDED:
            self._line(event)
        elif not event.trial and event.kind != "trained":
            self._write(headline(event))
        elif self._clock() - self._last_line >= SILENCE_SECONDS:
            self._line(event) if event.trial else self._write(headline(event))

    def _line(self, event: "Event") -> None:
        progress = self._progress
        trial = progress.trial(event.trial)
        parts = [f"[{progress.done_trials}/{progress.num_trials}] {event.allocator} seed {event.seed}: {event.kind}"]
        if event.kind not in ENDED:
            parts[0] += f" {trial.interval} of {trial.num_intervals}"
        if event.kind == "failed":
            parts.append(event.message)
        parts.append(f"{tokens_text(trial.charged_tokens)} of {tokens_text(trial.budget_tokens)} tokens")
        if trial.utility_estimate is not None:
            parts.append(f"utility estimate {trial.utility_estimate:.3f}")
        left = progress.seconds_left()
        if left is not None and progress.done_trials < progress.num_trials:
            parts.append(f"ETA {duration_text(left)}")
        self._write(", ".join(parts))

    def _write(self, text: str) -> None:
        self._last_line = self._clock()
        write_line(text, stream=self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
