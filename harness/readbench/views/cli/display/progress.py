"""How far a run is, from its events: what both the live view and the plain lines tell.

The estimate of the time left is the tokens left over the rate at which this process has charged tokens; what a resumed
run had charged before counts as done, not as fast.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readbench.views.console.text import tokens_text

if TYPE_CHECKING:
    from readbench.trials.events import Event

ENDED = ("finished", "failed")


@dataclass(slots=True)
class TrialProgress:
    """One trial, as far as its last event."""

    allocator: str
    seed: int
    first_tokens: int  # charged when this process first heard of it
    status: str = "started"
    interval: int = 0
    num_intervals: int = 0
    charged_tokens: int = 0
    budget_tokens: int = 0
    utility_estimate: float | None = None


def headline(event: "Event") -> str:
    """An event of the whole run in words; None for a trial's event."""
    if event.kind == "plan":
        already = f", {event.done_trials} of them done already" if event.done_trials else ""
        return f"{event.num_trials} trials{already}, {tokens_text(event.budget_tokens)} tokens"
    if event.kind == "complete":
        return f"all {event.num_trials} trials are complete: nothing to run"
    if event.kind == "measured":
        return event.message or "measured the untrained student and the teacher"
    if event.kind == "trained":
        return event.message
    if event.kind == "warning":
        return f"warning: {event.message}"
    return ""


class Progress:
    """The state of all trials; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._trials: dict[str, TrialProgress] = {}
        self.budget_tokens = 0  # of all trials together
        self._charged_before = 0  # by those that had ended before this process
        self.num_trials = 0
        self.done_trials = 0
        self.message = ""

    def observe(self, event: "Event") -> None:
        """Takes note of one event."""
        self.num_trials = max(self.num_trials, event.num_trials)
        self.done_trials = max(self.done_trials, event.done_trials)
        self.message = headline(event) or self.message
        if event.kind == "plan":
            self.budget_tokens, self._charged_before = event.budget_tokens, event.charged_tokens
        if not event.trial:
            return
        if self._began is None:
            self._began = self._clock()
        trial = self._trials.get(event.trial)
        if trial is None:
            first = 0 if event.kind in ENDED else event.charged_tokens
            trial = self._trials[event.trial] = TrialProgress(event.allocator, event.seed, first)
        trial.status = event.kind
        trial.interval = max(trial.interval, event.interval)  # a trial's last event adds nothing
        trial.charged_tokens = max(trial.charged_tokens, event.charged_tokens)
        trial.num_intervals, trial.budget_tokens = event.num_intervals, event.budget_tokens
        if event.utility_estimate is not None:
            trial.utility_estimate = event.utility_estimate

    def trial(self, name: str) -> TrialProgress:
        """The trial that the event names."""
        return self._trials[name]

    @property
    def running(self) -> list[TrialProgress]:
        """The trials that have begun and not ended, in the order in which they began."""
        return [trial for trial in list(self._trials.values()) if trial.status not in ENDED]

    @property
    def ended(self) -> list[TrialProgress]:
        """The trials that ended under this process."""
        return [trial for trial in list(self._trials.values()) if trial.status in ENDED]

    @property
    def spent_tokens(self) -> int:
        """Tokens charged by all trials; an ended trial counts with its whole budget, and so do those of an earlier process."""
        known = sum(t.budget_tokens if t.status in ENDED else t.charged_tokens for t in list(self._trials.values()))
        return known + self._charged_before

    def seconds_left(self) -> float | None:
        """None until there is a rate."""
        if self._began is None:
            return None
        seconds = self._clock() - self._began
        gained = sum(trial.charged_tokens - trial.first_tokens for trial in list(self._trials.values()))
        if gained <= 0 or seconds <= 0:
            return None
        return max(0, self.budget_tokens - self.spent_tokens) * seconds / gained
