"""The loop over a scripted environment: what a trial's record holds, and that a trial in parts is the trial in one piece."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.api import Observation, Vector
from readbench.students.schedule import TrainingConfig
from readbench.trials.environments.scripted import Scripted, World, drifting_world
from readbench.trials.events import Event
from readbench.trials.loop import Interrupted, run_trial
from readbench.trials.record.interval import interval_of
from readbench.trials.record.trial_file import TrialRecord, read_trial
from readbench.trials.spec import TrialSpec

INTERVALS = 6


def spec_of(allocator: str) -> TrialSpec:
    return TrialSpec(
        suite="scripted",
        suite_content="0",
        allocator=allocator,
        params={},
        objective="sft",
        objective_params={},
        seed=3,
        budget_tokens=1000 * INTERVALS,
        num_intervals=INTERVALS,
        teacher="none",
        teacher_params={},
        teacher_fingerprint="0",
        student="none",
        student_fingerprint="0",
        max_new_tokens=1,
        num_probes=2,
        num_dev=2,
        training=TrainingConfig(),
    )


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
    record, events = run(spec_of("read"), tmp_path, lambda _: Scripted(world))
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
    spec = spec_of(allocator)
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
    spec = spec_of("uniform")
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
    spec = spec_of("read")
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
    record, _ = run(spec_of("wrong"), tmp_path, lambda _: Scripted(world))
    assert (record.status, record.failure, record.intervals) == ("failed", f"allocator 'wrong' {said}", [])
