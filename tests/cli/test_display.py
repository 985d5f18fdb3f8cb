"""What is shown while trials run, with a clock of our own."""

import io

import pytest
from rich.console import Console

from readbench.trials.events import Event
from readbench.views.cli.display import NoDisplay, PlainDisplay, choose_display
from readbench.views.cli.display.live import LiveDisplay
from readbench.views.cli.display.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(kind: str, **changes: object) -> Event:
    fields = {"kind": kind, "trial": "t", "allocator": "read", "seed": 1, "num_intervals": 4, "budget_tokens": 1000, "num_trials": 2}
    return Event(**{**fields, **changes})  # type: ignore[arg-type]


def test_live_only_on_a_terminal_and_not_in_ci() -> None:
    assert isinstance(choose_display(Terminal(), {}), LiveDisplay)
    assert isinstance(choose_display(Terminal(), {"CI": "true"}), PlainDisplay)
    assert isinstance(choose_display(Terminal(), {"TERM": "dumb"}), PlainDisplay)
    assert isinstance(choose_display(io.StringIO(), {}), PlainDisplay)
    assert isinstance(choose_display(None, {}), NoDisplay)


def test_no_display_lets_every_event_pass_and_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with NoDisplay() as display:
        for kind in ("plan", "started", "interval", "evaluating", "finished", "failed", "complete"):
            display.observe(event(kind))
    assert capfd.readouterr() == ("", "")
    with pytest.raises(KeyError, match="kept"), NoDisplay():
        raise KeyError("kept")


def test_time_left_is_tokens_left_over_the_rate() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.observe(event("plan", trial="", budget_tokens=2000))
    progress.observe(event("started"))
    assert progress.seconds_left() is None
    clock.now = 10.0
    progress.observe(event("interval", interval=1, charged_tokens=250))
    assert progress.spent_tokens == 250
    assert progress.seconds_left() == 70.0  # 25 tokens a second, 1,750 of 2 × 1,000 left


def test_time_left_does_not_count_what_an_earlier_process_did() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.observe(event("plan", trial="", done_trials=1, num_trials=3, budget_tokens=3000, charged_tokens=1000))
    progress.observe(event("started", charged_tokens=500, done_trials=1, num_trials=3))
    clock.now = 10.0
    progress.observe(event("interval", charged_tokens=600, done_trials=1, num_trials=3))
    assert progress.spent_tokens == 1600
    assert progress.seconds_left() == 140.0  # 10 tokens a second, 1,400 left


def test_a_trial_that_ends_short_of_its_budget_leaves_nothing_to_wait_for() -> None:
    progress = Progress(Clock())
    progress.observe(event("interval", charged_tokens=980))
    progress.observe(event("finished", done_trials=1))
    assert progress.spent_tokens == 1000
    assert progress.running == []


def test_plain_lines_tell_ends_and_give_a_sign_of_life() -> None:
    clock, stream = Clock(), io.StringIO()
    with PlainDisplay(stream, clock) as display:
        display.observe(event("plan", trial="", budget_tokens=2000))
        display.observe(event("started"))
        clock.now = 20.0
        display.observe(event("interval", interval=1, charged_tokens=250, utility_estimate=0.5))
        clock.now = 40.0
        display.observe(event("interval", interval=2, charged_tokens=500, utility_estimate=0.5))
        clock.now = 41.0
        display.observe(event("finished", done_trials=1))
        display.observe(event("failed", trial="u", allocator="uniform", message="loss is NaN\x1b[2J", done_trials=2))
    assert stream.getvalue().splitlines() == [
        "2 trials, 2,000 tokens",
        "[0/2] read seed 1: interval 2 of 4, 500 of 1,000 tokens, utility estimate 0.500, ETA 2 min 0 s",
        "[1/2] read seed 1: finished, 500 of 1,000 tokens, utility estimate 0.500, ETA 1 min 22 s",
        "[2/2] uniform seed 1: failed, loss is NaN\\x1b[2J, 0 of 1,000 tokens",
    ]


def test_plain_lines_say_that_all_is_done() -> None:
    stream = io.StringIO()
    PlainDisplay(stream).observe(event("complete", trial="", num_trials=2, done_trials=2))
    assert stream.getvalue() == "all 2 trials are complete: nothing to run\n"


def test_live_view_shows_what_runs_its_interval_tokens_estimate_and_time_left() -> None:
    clock = Clock()
    display = LiveDisplay(Terminal(), clock)
    display.observe(event("plan", trial="", budget_tokens=2000))
    display.observe(event("started"))
    display.observe(event("started", trial="u", allocator="uniform"))
    clock.now = 10.0
    display.observe(event("interval", interval=1, charged_tokens=250, utility_estimate=0.5))
    display.observe(event("interval", trial="u", allocator="uniform", charged_tokens=990, utility_estimate=0.625))
    display.observe(event("finished", trial="u", allocator="uniform", done_trials=1))
    stream = io.StringIO()
    Console(file=stream, width=120).print(display.view())
    text = stream.getvalue()
    head, _, row, standing = (line for line in text.splitlines() if line.strip())
    assert "1 of 2 trials" in head
    assert "1,250 of 2,000 tokens" in head
    assert "ETA 6 s" in head
    assert row.split()[:3] == ["read", "1", "1/4"]
    assert row.split()[-4:] == ["250", "of", "1,000", "0.500"]
    assert standing.strip() == "so far: uniform 0.625 (1)"


def test_live_view_leaves_the_terminal_as_it_was() -> None:
    stream = Terminal()
    with LiveDisplay(stream) as display:
        display.observe(event("failed", message="[bold]\x1b]0;title\x07"))
    shown = stream.getvalue()
    assert r"[bold]\x1b]0;title\x07" in shown
    assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in shown, "the cursor is back"


@pytest.mark.parametrize("variable", ["NO_COLOR"])
def test_no_color_is_honoured(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with LiveDisplay(stream) as display:
        display.observe(event("failed", message="no"))
    assert "\x1b[31m" not in stream.getvalue()
