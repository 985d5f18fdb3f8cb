import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from readbench.api import Allocator, Batch, Feedback, Loss, Observation, Plugin, Problem
from readbench.base import plugins
from readbench.trials.record.trial_file import TrialRecord, read_trial

from .conftest import BUDGET, INTERVALS, Bench

Benches = Callable[..., Bench]


def rows(folder: Path) -> list[tuple[int, ...]]:
    """(interval, capability, difficulty, slot, generated, trained) of every example."""
    connection = sqlite3.connect(folder / "trial.sqlite")
    try:
        return connection.execute("SELECT * FROM examples ORDER BY interval, capability, difficulty, slot").fetchall()
    finally:
        connection.close()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "student" / "model.safetensors")


def timeless(record: TrialRecord) -> dict[str, Any]:
    def drop(part: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if part is None else {key: value for key, value in part.items() if key != "seconds"}

    return {
        "spec": record.spec,
        "status": record.status,
        "start": drop(record.start),
        "final": drop(record.final),
        "intervals": record.intervals,
    }


def test_a_trial_charges_its_budget_and_never_more(bench: Benches) -> None:
    folder = bench().run("task-static")
    examples, record = rows(folder), read_trial(folder)
    assert record.status == "complete"
    charged = sum(generated + trained for *_, generated, trained in examples)
    assert 0.97 * BUDGET <= charged <= BUDGET
    assert charged == sum(interval["charged"] for interval in record.intervals)
    for interval in record.intervals:
        mine = [row for row in examples if row[0] == interval["interval"]]
        assert interval["tokens"]["generated"] == sum(row[4] for row in mine)
        assert interval["tokens"]["trained"] == sum(row[5] for row in mine)


@pytest.mark.parametrize("allocator", ["uniform", "random", "per-capability", "task-static", "read"])
def test_realised_tokens_are_within_one_example_of_the_requested_ones_at_any_time(bench: Benches, allocator: str) -> None:
    folder = bench().run(allocator)
    examples = np.array(rows(folder))
    costs = examples[:, 4] + examples[:, 5]
    requested = np.zeros(8)
    for record in read_trial(folder).intervals:
        t = record["interval"]
        requested += np.array(record["requested"]) * (BUDGET * (t + 1) // INTERVALS - BUDGET * t // INTERVALS)
        so_far = examples[:, 0] <= t
        realised = np.array([costs[so_far & (examples[:, 1] == c)].sum() for c in range(8)])
        assert np.abs(realised - requested).max() <= costs.max() + INTERVALS  # a token an interval: grants are whole


def test_slots_are_taken_in_order_and_without_gaps(bench: Benches) -> None:
    taken = rows(bench().run("random"))
    for capability in range(8):
        for difficulty in range(3):
            slots = [row[3] for row in taken if row[1:3] == (capability, difficulty)]
            assert slots == list(range(len(slots)))


def test_all_allocators_of_a_seed_draw_from_the_same_slots(bench: Benches) -> None:
    here = bench()
    one = {row[1:4]: row[4:] for row in rows(here.run("uniform"))}
    other = {row[1:4]: row[4:] for row in rows(here.run("task-static"))}
    shared = one.keys() & other.keys()
    assert len(shared) > 20
    assert all(one[slot] == other[slot] for slot in shared)
    another_seed = {row[1:4]: row[4:] for row in rows(here.run("uniform", seed=1))}
    assert any(one[slot] != another_seed[slot] for slot in one.keys() & another_seed.keys())


@pytest.mark.parametrize("allocator", ["read", "random", "gap"])
def test_a_trial_stopped_after_every_interval_ends_bit_for_bit_as_one_that_was_not(bench: Benches, allocator: str) -> None:
    profile = [0.9] * 8
    whole = bench("whole").run(allocator, profile=profile)
    for _ in range(INTERVALS):  # each in a fresh process's state: nothing survives but the record
        folder = bench("parts").run(allocator, stop_after=1, profile=profile)
    folder = bench("parts").run(allocator, profile=profile)
    assert timeless(read_trial(folder)) == timeless(read_trial(whole))
    assert rows(folder) == rows(whole)
    trained, expected = weights(folder), weights(whole)
    assert trained.keys() == expected.keys()
    assert all(torch.equal(trained[name], expected[name]) for name in expected)


def test_a_trial_neither_reads_nor_moves_global_random_state(bench: Benches) -> None:
    first = bench("first").run("read")
    random.seed(9)
    np.random.seed(9)  # noqa: NPY002 - the global state is what this test is about
    torch.manual_seed(9)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # noqa: NPY002
    second = bench("second").run("read")
    assert timeless(read_trial(first)) == timeless(read_trial(second))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


class Bad:
    """An allocator that misbehaves in its second interval."""

    def __init__(self, problem: Problem, fault: str) -> None:
        self._uniform = np.full(len(problem.capabilities), 1 / len(problem.capabilities))
        self._fault = fault

    def propose(self, observation: Observation) -> np.ndarray[Any, np.dtype[np.float64]]:
        if observation.interval == 0:
            return self._uniform
        match self._fault:
            case "nan":
                return self._uniform * np.nan
            case "shape":
                return self._uniform[:-1]
            case "sum":
                return self._uniform * 1.1
            case "negative":
                return np.array([-1.0, 2.0, *np.zeros(len(self._uniform) - 2)])
            case "raises":
                raise KeyError("the third\nline")
            case "writes":
                observation.profile[0] = 1.0
        return self._uniform

    def update(self, feedback: Feedback) -> None:
        pass

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes) -> None:
        pass


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def register(fault: str) -> None:
        def make(problem: Problem, seed: int) -> Allocator:
            return Bad(problem, fault)

        known = plugins.registry()
        registered = plugins.Registered(Plugin("allocator", "bad", "Misbehaves.", make), "tests")
        extended = plugins.Registry({**known.found, ("allocator", "bad"): registered}, known.broken)
        monkeypatch.setattr(plugins, "registry", lambda: extended)

    return register  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nan", "not on the simplex"),
        ("shape", "shape"),
        ("sum", "not on the simplex"),
        ("negative", "not on the simplex"),
        ("raises", "raised KeyError: 'the third"),
        ("writes", "raised ValueError: .*read-only"),
    ],
)
def test_a_misbehaving_allocator_fails_its_trial_with_the_reason(
    bench: Benches, bad: Callable[[str], None], fault: str, reason: str
) -> None:
    bad(fault)
    record = read_trial(bench().run("bad"))
    assert record.status == "failed"
    assert len(record.intervals) == 1  # what was done before stays
    assert record.failure is not None
    assert "\n" not in record.failure
    assert re.search(reason, record.failure)


def test_a_loss_that_explodes_fails_its_trial_and_a_mended_one_goes_on(bench: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    from readbench.students.objectives.sft import CrossEntropy

    whole = bench("whole").run()
    here = bench("mended")
    sound = CrossEntropy.loss
    steps: list[int] = []

    def explode(self: CrossEntropy, given: Batch) -> Loss:
        steps.append(1)
        loss, factor = sound(self, given), float("inf") if len(steps) > 5 else 1.0
        return Loss(value=loss.value * factor, tokens=loss.tokens * factor)

    with monkeypatch.context() as patched:
        patched.setattr(CrossEntropy, "loss", explode)
        record = read_trial(here.run())
    assert record.status == "failed"
    assert record.failure is not None
    assert "not finite" in record.failure
    assert timeless(read_trial(here.run())) == timeless(read_trial(whole))
