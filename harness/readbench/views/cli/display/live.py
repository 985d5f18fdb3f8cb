"""The live view: the budget spent so far, the trials that run, and the allocators' utilities so far. Gone when the run ends."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from readbench.results.stats import estimate
from readbench.views.cli.display.progress import Progress, headline
from readbench.views.console.text import cell, duration_text, tokens_text

if TYPE_CHECKING:
    from readbench.trials.events import Event

BAR_WIDTH = 24


class LiveDisplay:
    """Draws four times a second on a terminal; `clock` gives seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._progress = Progress(clock)
        self._live = Live(get_renderable=self.view, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False)

    def observe(self, event: "Event") -> None:
        """Takes note of one event; failures, warnings and "nothing to run" stay on the screen above the view."""
        self._progress.observe(event)
        if event.kind == "failed":
            self._console.print(cell(f"{event.allocator} seed {event.seed} failed: {event.message}", "red"))
        elif event.kind in ("complete", "warning"):
            self._console.print(cell(headline(event)))

    def view(self) -> Group:
        """The current drawing."""
        progress = self._progress
        left = progress.seconds_left()
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(f"{progress.done_trials} of {progress.num_trials} trials", style="bold"),
            ProgressBar(total=max(1, progress.budget_tokens), completed=progress.spent_tokens, width=BAR_WIDTH),
            f"{tokens_text(progress.spent_tokens)} of {tokens_text(progress.budget_tokens)} tokens",
            f"ETA {duration_text(left)}" if left is not None else cell(progress.message, "dim"),
        )
        return Group(head, self._running(), self._standing())

    def _running(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("allocator", "seed", "interval", "", "tokens of budget", "utility estimate"):
            table.add_column(heading, justify="left" if heading in ("allocator", "") else "right")
        for trial in self._progress.running:
            table.add_row(
                cell(trial.allocator),
                str(trial.seed),
                "test" if trial.status == "evaluating" else f"{trial.interval}/{trial.num_intervals}",
                ProgressBar(total=max(1, trial.budget_tokens), completed=trial.charged_tokens, width=BAR_WIDTH),
                f"{tokens_text(trial.charged_tokens)} of {tokens_text(trial.budget_tokens)}",
                "" if trial.utility_estimate is None else f"{trial.utility_estimate:.3f}",
            )
        return table

    def _standing(self) -> Text:
        """The allocators with ended trials, the highest mean estimate first."""
        by_allocator: dict[str, list[float]] = {}
        for trial in self._progress.ended:
            if trial.utility_estimate is not None:
                by_allocator.setdefault(trial.allocator, []).append(trial.utility_estimate)
        means = {name: mean.mean for name, values in by_allocator.items() if (mean := estimate(values)) is not None}
        ranked = sorted(means.items(), key=lambda item: -item[1])
        return cell(
            "so far: " + "   ".join(f"{name} {mean:.3f} ({len(by_allocator[name])})" for name, mean in ranked) if ranked else "", "dim"
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
