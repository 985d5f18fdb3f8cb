"""The loop over a scripted environment: what a trial's record holds, and that a trial in parts is the trial in one piece."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.api import Observation, Vector
from readbench.base.errors import ConfigError, DamagedError
from readbench.base.seeds import derive_seed
from readbench.testing.worlds import drifting_world
from readbench.trials.environments.base import Step
from readbench.trials.environments.scripted import Scripted, World
from readbench.trials.events import Event
from readbench.trials.loop import Interrupted, run_trial
from readbench.trials.record.interval import interval_of
from readbench.trials.record.trial_file import TrialRecord, read_trial
from readbench.trials.spec import TrialSpec
from support.trials import spec_of

INTERVALS = 6


def short(allocator: str) -> TrialSpec:
    return spec_of(allocator=allocator, seed=3, budget_tokens=1000 * INTERVALS, num_intervals=INTERVALS)


@pytest.fixture
def world() -> World:
    return drifting_world(3, INTERVALS, requirement="mixed")


def run(
    spec: TrialSpec, root: Path, make: Callable[[TrialSpec], Scripted], *, stop_after: int = INTERVALS
) -> tuple[TrialRecord, list[Event]]:
    """Until the end, or until so many intervals are done."""
    events: list[Event] = []
    done = iter(range(1, INTERVALS + 1))
    try:
        run_trial(spec, root / spec.id, make, observe=events.append, stopped=lambda: next(done) >= stop_after < INTERVALS)
    except Interrupted:
        assert stop_after < INTERVALS
    return read_trial(root / spec.id), events


def test_a_trial_is_recorded_interval_by_interval_and_told(world: World, tmp_path: Path) -> None:
    record, events = run(short("read"), tmp_path, lambda _: Scripted(world))
    assert record.status == "complete"
    assert [each["interval"] for each in record.intervals] == list(range(INTERVALS))
    assert [event.kind for event in events] == ["started", *["interval"] * INTERVALS, "evaluating", "finished"]
    assert [event.interval for event in events] == [0, *range(1, INTERVALS + 1), INTERVALS, INTERVALS]
    assert [event.charged_tokens for event in events if event.kind == "interval"] == [1000 * done for done in range(1, INTERVALS + 1)]
    assert all(
        event.done == interval_of(world.problem.capabilities, record.intervals[event.interval - 1]) for event in events if event.done
    )


@pytest.mark.parametrize("allocator", ["read", "random", "gap"])
def test_a_trial_in_parts_is_the_trial_in_one_piece(world: World, tmp_path: Path, allocator: str) -> None:
    spec = short(allocator)
    whole, _ = run(spec, tmp_path / "whole", lambda _: Scripted(world))
    for stop_after in (1, 2, INTERVALS):
        parts, events = run(spec, tmp_path / "parts", lambda _: Scripted(world), stop_after=stop_after)
    assert (parts.intervals, parts.final and parts.final["student"], parts.status) == (whole.intervals, {}, "complete")
    assert (events[0].interval, events[0].charged_tokens) == (3, sum(each["charged"] for each in whole.intervals[:3]))


class Checked(Scripted):
    """Fails unless what the allocator is shown is what the script says, also after a resume."""

    def observe(self) -> Observation:
        seen = super().observe()
        assert [feedback.interval for feedback in seen.recent] == list(range(max(0, self.interval - 8), self.interval))
        return seen


def test_a_resumed_allocator_sees_the_intervals_before(world: World, tmp_path: Path) -> None:
    spec = short("uniform")
    run(spec, tmp_path, lambda _: Checked(world), stop_after=4)
    record, _ = run(spec, tmp_path, lambda _: Checked(world))
    assert record.status == "complete"


class Failing(Scripted):
    """Fails in its third interval."""

    def step(self, allocation: Vector) -> Any:
        from readbench.base.errors import TrialFailure

        if self.interval == 2:
            raise TrialFailure("the loss is not finite")
        return super().step(allocation)


def test_a_failed_trial_keeps_its_intervals_and_is_tried_again_from_there(world: World, tmp_path: Path) -> None:
    spec = short("read")
    failed, events = run(spec, tmp_path, lambda _: Failing(world))
    assert (failed.status, failed.failure, len(failed.intervals)) == ("failed", "the loss is not finite", 2)
    assert (events[-1].kind, events[-1].message) == ("failed", "the loss is not finite")
    again, events = run(spec, tmp_path, lambda _: Scripted(world))
    assert (again.status, again.failure) == ("complete", None)
    assert events[0].interval == 2
    assert again.intervals == run(spec, tmp_path / "whole", lambda _: Scripted(world))[0].intervals


@pytest.mark.parametrize(
    ("proposal", "said"),
    [
        ("np.full(4, 0.25)", "proposed shape (4,) in interval 0, not (K,)"),
        ("np.array([0.5, 0.6, 0.0])", "proposed [0.5, 0.6, 0.0] in interval 0: not on the simplex"),
        ("np.array([1.5, -0.5, 0.0])", "proposed [1.5, -0.5, 0.0] in interval 0: not on the simplex"),
        ("np.array([np.nan, 1.0, 0.0])", "proposed [nan, 1.0, 0.0] in interval 0: not on the simplex"),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_allocation_fails_the_trial_by_the_allocator_s_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proposal: str, said: str
) -> None:
    class Wrong:
        def propose(self, _: Observation) -> Any:
            return eval(proposal, {"np": np})  # noqa: S307 - the test's own text

        update = state = restore = propose

    monkeypatch.setattr("readbench.trials.guarded.make_allocator", lambda *_, **__: Wrong())
    record, _ = run(short("wrong"), tmp_path, lambda _: Scripted(world))
    assert (record.status, record.failure, record.intervals) == ("failed", f"allocator 'wrong' {said}", [])


def test_every_event_says_which_trial_it_is_of(world: World, tmp_path: Path) -> None:
    spec = short("uniform")
    _, events = run(spec, tmp_path, lambda _: Scripted(world))
    said = {(event.trial, event.allocator, event.seed, event.num_intervals, event.budget_tokens) for event in events}
    assert said == {(spec.id, "uniform", 3, INTERVALS, 1000 * INTERVALS)}
    assert [event.charged_tokens for event in events if event.kind in ("started", "evaluating")] == [0, 1000 * INTERVALS]


class Measured(Scripted):
    """Measures the utility on the way: a tenth an interval."""

    def step(self, allocation: Vector) -> Step:
        return replace(super().step(allocation), utility_estimate=self.interval / 10)


def test_an_interval_s_event_tells_the_utility_where_it_was_measured(world: World, tmp_path: Path) -> None:
    _, events = run(short("uniform"), tmp_path, lambda _: Measured(world))
    assert [event.utility_estimate for event in events if event.kind == "interval"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_trial_that_is_asked_to_stop_has_committed_what_it_did(world: World, tmp_path: Path, stop_after: int) -> None:
    record, events = run(short("uniform"), tmp_path, lambda _: Scripted(world), stop_after=stop_after)
    assert (record.status, len(record.intervals), record.final) == ("incomplete", stop_after, None)
    assert [event.kind for event in events] == ["started", *["interval"] * stop_after]


def test_a_complete_trial_is_not_done_again_and_what_it_left_is_cleared(world: World, tmp_path: Path) -> None:
    spec = short("uniform")
    before, _ = run(spec, tmp_path, lambda _: Scripted(world))
    left = tmp_path / spec.id / "checkpoints"
    left.mkdir()
    (left / "of-a-process-that-was-killed").touch()

    def refuse(_: TrialSpec) -> Scripted:
        raise AssertionError("a complete trial needs no environment")

    assert run(spec, tmp_path, refuse) == (before, [])
    assert not left.exists()


def test_an_allocator_is_made_with_a_seed_of_its_own_and_the_spec_s_parameters(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def make(*positional: Any, **params: Any) -> Any:
        made.append((positional, params))
        raise ConfigError("seen enough")

    monkeypatch.setattr("readbench.trials.guarded.make_allocator", make)
    run(replace(short("odd"), params={"kappa": 0.5}), tmp_path, lambda _: Scripted(world))
    assert made == [(("odd", world.problem, derive_seed("allocator", 3)), {"kappa": 0.5})]


class Refusing(Scripted):
    """Raises what it was given instead of its third interval."""

    error: Exception

    def step(self, allocation: Vector) -> Step:
        if self.interval == 2:
            raise self.error
        return super().step(allocation)


def test_an_example_that_does_not_fit_the_student_fails_the_trial(world: World, tmp_path: Path) -> None:
    environment = Refusing(world)
    environment.error = ConfigError("a prompt is longer than the student's context")
    record, events = run(short("uniform"), tmp_path, lambda _: environment)
    assert (record.status, record.failure, len(record.intervals)) == ("failed", "a prompt is longer than the student's context", 2)
    assert (events[-1].kind, events[-1].message) == ("failed", "a prompt is longer than the student's context")


@pytest.mark.parametrize("error", [DamagedError("a file is not what was written"), KeyError("a bug")])
def test_damage_and_bugs_are_no_failure_of_the_trial(world: World, tmp_path: Path, error: Exception) -> None:
    spec, environment = short("uniform"), Refusing(world)
    environment.error = error
    with pytest.raises(type(error)):
        run(spec, tmp_path, lambda _: environment)
    record = read_trial(tmp_path / spec.id)
    assert (record.status, record.failure, len(record.intervals)) == ("incomplete", None, 2)


class Watch:
    """Counts what it is asked for instead of seconds."""

    def __init__(self) -> None:
        self.counts = {"allocator": 0.0, "laps": 0.0}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.counts[name] += 1
        yield

    def lap(self) -> dict[str, float]:
        self.counts["laps"] += 1
        lap, self.counts["allocator"] = dict(self.counts), 0.0
        return lap


def test_the_time_of_the_start_of_each_interval_and_of_the_end_is_recorded_apart(world: World, tmp_path: Path) -> None:
    """The allocator's is that of its proposal and of its update."""
    environment = Scripted(world)
    environment.watch = Watch()  # type: ignore[assignment]
    record, _ = run(short("uniform"), tmp_path, lambda _: environment)
    assert record.start == {"seconds": {"allocator": 0.0, "laps": 1.0}}
    assert record.seconds == [{"allocator": 2.0, "laps": 2.0 + interval} for interval in range(INTERVALS)]
    assert record.final is not None
    assert record.final["seconds"] == {"allocator": 0.0, "laps": 2.0 + INTERVALS}
