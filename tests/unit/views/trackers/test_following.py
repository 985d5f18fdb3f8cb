"""What a recorder is told: every interval and every end once, in order, whatever was interrupted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from readbench.api import RunInfo, TrialInfo
from readbench.suites.metric_names import METRICS
from readbench.views.trackers.values import final_values, flat_config, interval_values

FIRST, SECOND = "a" * 16, "b" * 16
KINDS = ("generated", "trained", "scored", "rollout", "probe", "dev", "eval", "pilot")
PHASES = ("total", "teacher", "train", "probe", "eval", "allocator", "rollout")


class Listening:
    """Writes down its calls; a list that outlives it."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self.calls = calls

    def start(self, _: RunInfo, key: str) -> None:
        self.calls.append(("start", key))

    def interval(self, trial: TrialInfo, _: Mapping[str, float], *, step: int) -> None:
        self.calls.append(("interval", trial.name, step))

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:
        self.calls.append(("end", trial.name, step, complete, len(values)))

    def close(self, results: Path | None) -> None:
        self.calls.append(("close", None if results is None else results.name))


def told(calls: list[tuple[Any, ...]], trial: str) -> list[tuple[Any, ...]]:
    return [call for call in calls if call[1] == trial]


def test_a_stopped_run_goes_on_where_the_sink_stood(story: Any) -> None:
    calls: list[tuple[Any, ...]] = []
    story.tell("it", lambda: Listening(calls))
    assert [call[0] for call in calls].count("start") == 2
    assert calls[0] == next(call for call in calls[1:] if call[0] == "start")  # the same key
    expected = [("interval", "read-s0", 1000), ("interval", "read-s0", 2000), ("end", "read-s0", 2000, True, 24)]
    assert told(calls, "read-s0") == expected
    assert [call[0] for call in told(calls, "uniform-s0")] == ["interval", "interval", "end"]
    assert [call[1] for call in calls if call[0] == "close"] == [None, "results.json"]


def test_what_no_event_told_is_made_good_in_order_at_the_end(story: Any) -> None:
    calls: list[tuple[Any, ...]] = []
    following = story.follow("it", Listening(calls))
    following.observe(story.event(FIRST, 1))  # its first interval was committed before anyone listened
    assert told(calls, "read-s0") == []
    following.conclude(story.ending())
    assert [call[2] for call in told(calls, "read-s0")] == [1000, 2000, 2000]


def test_a_finished_run_that_is_tracked_again_tells_nothing_twice(story: Any) -> None:
    calls: list[tuple[Any, ...]] = []
    for _ in range(2):
        story.follow("it", Listening(calls)).conclude(story.ending())
    assert len([call for call in calls if call[0] == "interval"]) == 4
    assert len([call for call in calls if call[0] == "end"]) == 2


def test_a_failed_trial_is_ended_without_figures_and_again_when_it_was_retried(story: Any) -> None:
    calls: list[tuple[Any, ...]] = []
    story.follow("it", Listening(calls)).conclude(story.ending(intervals=1, status={FIRST: "failed", SECOND: "incomplete"}))
    assert told(calls, "read-s0") == [("interval", "read-s0", 1000), ("end", "read-s0", 1000, False, 0)]
    assert told(calls, "uniform-s0") == [("interval", "uniform-s0", 1000)]
    story.follow("it", Listening(calls)).conclude(story.ending())
    assert told(calls, "read-s0")[2:] == [("interval", "read-s0", 2000), ("end", "read-s0", 2000, True, 24)]


def test_two_sinks_of_a_run_keep_books_of_their_own(story: Any) -> None:
    one: list[tuple[Any, ...]] = []
    other: list[tuple[Any, ...]] = []
    story.follow("one", Listening(one)).conclude(story.ending())
    story.follow("other", Listening(other)).conclude(story.ending())
    assert len(one) == len(other)
    assert one[0] != other[0]  # each has a key of its own


def test_values_have_the_names_that_the_documents_promise(story: Any) -> None:
    values = interval_values(story.event(FIRST, 0).done)
    names = {f"{group}/{c}" for group in ("profile", "exact_match", "allocation") for c in ("math", "code")}
    assert values.keys() == names | {"train_loss/math", "dev_utility", "reward", "epsilon"}  # code was not taught: no loss
    told = interval_values(replace(story.event(FIRST, 0).done, figures={"entropy": 0.5}))
    assert told == values | {"figures/entropy": 0.5}
    final = final_values(story.ending().trials[0])
    grouped = {f"tokens/{kind}" for kind in KINDS} | {f"seconds/{phase}" for phase in PHASES}
    assert final.keys() == {*METRICS, "step_accuracy", "utility_before", *grouped}
    assert (final["utility"], final["tokens/trained"], final["seconds/total"]) == (0.75, 8000.0, 2.0)
    assert flat_config({"a": {"b": {"c": 1}}, "l": ["x", "y"]}) == {"a.b.c": 1, "l": "x,y"}
