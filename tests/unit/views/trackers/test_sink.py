"""A sink's process: what it does to a library that fails, hangs, prints or dies, and that the run learns it in one line."""

import json
import multiprocessing
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import SurroundingError
from readbench.base.plugins import registry
from readbench.trials.events import Event
from readbench.views.trackers.sink import safe_message
from readbench.views.trackers.tracking import Tracking, check_installed
from support.plugins import install

FIRST, SECOND = "a" * 16, "b" * 16
TEMPLATE = """
import os, sys, time
from pathlib import Path

from readbench.api import tracker


@tracker("it", needs={needs})
class It:
    '''Runs what a test gives it.'''

    def start(self, run, key):
        self.told = run.folder / "told.txt"
        {start}

    def interval(self, trial, values, *, step):
        {interval}
        with self.told.open("a") as file:
            file.write(f"{{trial.name}} {{step}}\\n")

    def end_trial(self, trial, values, *, step, complete):
        pass

    def close(self, results):
        {close}
"""


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Installs a tracker whose recorder runs the given statements; returns its name."""

    def put(*, start: str = "pass", interval: str = "pass", close: str = "pass", needs: tuple[str, ...] = ("json",)) -> str:
        source = textwrap.dedent(TEMPLATE).format(start=start, interval=interval, close=close, needs=needs)
        monkeypatch.syspath_prepend(str(install(tmp_path / "site", "tracker_of_a_test", source)))
        registry.cache_clear()
        sys.modules.pop("tracker_of_a_test", None)
        return "it"

    yield put
    registry.cache_clear()
    sys.modules.pop("tracker_of_a_test", None)


def warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if event.kind == "warning"]


def follow(story: Any, name: str, *, seconds: float = 30.0) -> list[Event]:
    """What the display learns of a run of two trials."""
    events: list[Event] = []
    with Tracking([name], story.run, observe=events.append, close_seconds=seconds) as tracking:
        for event in (story.event(FIRST, 0), story.event(SECOND, 0), story.event(FIRST, 1), story.event(SECOND, 1)):
            tracking.observe(event)
        tracking.conclude(story.ending())
    assert len([event for event in events if event.kind == "interval"]) == 4
    assert multiprocessing.active_children() == []
    return events


def test_a_sink_is_told_everything_in_a_process_of_its_own(story: Any, tracker: Callable[..., str]) -> None:
    events = follow(story, tracker(close="os.write(1, b'to standard output'); print('so does this')"))
    assert warnings(events) == []
    assert (story.run.folder / "told.txt").read_text().splitlines() == [
        "read-s0 1000",
        "uniform-s0 1000",
        "read-s0 2000",
        "uniform-s0 2000",
    ]


@pytest.mark.parametrize("where", ["start", "interval", "close"])
def test_a_sink_that_raises_is_dropped_with_one_line(story: Any, tracker: Callable[..., str], where: str) -> None:
    said = warnings(follow(story, tracker(**{where: "raise ValueError('no\\nsuch server')"})))
    assert said == ["tracker it was dropped, the run continues: ValueError: no such server"]


def test_what_a_dropped_sink_lacks_is_made_good_by_the_next_run(story: Any, tracker: Callable[..., str]) -> None:
    fails_in_the_second = "if step > 1000: raise ValueError('full')"
    assert len(warnings(follow(story, tracker(interval=fails_in_the_second)))) == 1
    assert warnings(follow(story, tracker())) == []
    lines = (story.run.folder / "told.txt").read_text().splitlines()
    assert sorted(lines) == ["read-s0 1000", "read-s0 2000", "uniform-s0 1000", "uniform-s0 2000"]


def test_a_sink_that_dies_is_dropped(story: Any, tracker: Callable[..., str]) -> None:
    assert warnings(follow(story, tracker(interval="os._exit(7)"))) == [
        "tracker it was dropped, the run continues: its process ended with code 7"
    ]


def test_a_sink_that_hangs_holds_up_the_end_for_a_limited_time_only(story: Any, tracker: Callable[..., str]) -> None:
    said = warnings(follow(story, tracker(interval="time.sleep(1000)"), seconds=0.2))
    assert said == ["waiting up to 0 s for tracker it", "tracker it was dropped, the run continues: it did not end within 0 s"]


def test_a_run_that_was_stopped_closes_its_sinks(story: Any, tracker: Callable[..., str]) -> None:
    name = tracker(close="Path(self.told).write_text(f'closed {results}')")

    def stopped() -> None:
        with Tracking([name], story.run, observe=lambda _: None) as tracking:
            tracking.observe(story.event(FIRST, 0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (story.run.folder / "told.txt").read_text() == "closed None"


def test_a_sink_outlives_its_run_only_to_close(story: Any, tracker: Callable[..., str]) -> None:
    """A run that is killed: its sinks see it and end."""
    name = tracker(close="self.told.write_text(str(os.getpid()))")
    context = multiprocessing.get_context("fork")
    begun = context.Event()

    def run() -> None:
        tracking = Tracking([name], story.run, observe=lambda _: None)
        tracking.observe(story.event(FIRST, 0))
        while not (story.run.folder / "told.txt").exists():
            time.sleep(0.01)
        begun.set()
        time.sleep(1000)

    process = context.Process(target=run)
    process.start()
    assert begun.wait(60)
    process.kill()
    process.join()
    told = story.run.folder / "told.txt"
    deadline = time.monotonic() + 60
    while not told.read_text().strip().isdigit() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert told.read_text().strip().isdigit()


def test_books_are_kept_for_what_the_sink_has_taken(story: Any, tracker: Callable[..., str]) -> None:
    follow(story, tracker(interval="if trial.seed == 0 and trial.allocator == 'uniform': raise ValueError"))
    books = json.loads((story.run.folder / "trackers" / "it.json").read_text())
    assert books["intervals"].get(SECOND, 0) == 0


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.views.trackers.tracking.find_spec", lambda name: None if name == "sqlalchemy" else name)
    with pytest.raises(SurroundingError, match="tracker 'mlflow' needs sqlalchemy") as raised:
        check_installed(["mlflow"])
    assert raised.value.hint == "pip install 'readbench[mlflow]'"
    assert raised.value.exit_code == 5


def test_a_missing_library_of_another_distribution_s_tracker_is_named_with_the_distribution(tracker: Callable[..., str]) -> None:
    with pytest.raises(SurroundingError, match="tracker 'it' needs not_there_at_all") as raised:
        check_installed([tracker(needs=("json", "not_there_at_all"))])
    assert raised.value.hint == "install it with tracker_of_a_test, which brings the tracker"


def test_an_error_is_told_without_keys_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "canary-1234567")
    text = safe_message(OSError("https://me:hunter2@host/x refused key canary-1234567\n" + "y" * 500))
    assert "hunter2" not in text
    assert "canary" not in text
    assert text.startswith("OSError: https://***@host/x refused key *** yyy")
    assert len(text) < 310
