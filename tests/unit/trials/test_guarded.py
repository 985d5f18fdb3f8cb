"""What an allocator may propose, and that every mistake of it is one line with its name."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from readbench.api import Allocator, Explanation, Feedback, Observation, Problem
from readbench.base.errors import TrialFailure
from readbench.trials.guarded import GuardedAllocator
from readbench.trials.loop import _values

PROBLEM = Problem(
    capabilities=("a", "b", "c"), requirement=np.array([0.5, 0.5, 0.0]), teacher_profile=None, budget_tokens=1000, num_intervals=4
)
OBSERVATION = Observation(interval=2, profile=np.zeros(3), budget_left=0.5)
FEEDBACK = Feedback(
    interval=2,
    allocation=np.array([1.0, 0.0, 0.0]),
    tokens=10,
    profile_before=np.zeros(3),
    profile_after=np.zeros(3),
    train_loss=np.zeros(3),
    reward=0.25,
)


class Scripted:
    """Proposes what it was given, and keeps what it was told."""

    def __init__(self, proposal: Any) -> None:
        self.proposal = proposal
        self.told: list[Any] = []

    def propose(self, observation: Observation) -> Any:
        self.told.append(observation)
        return self.proposal

    def update(self, feedback: Feedback) -> None:
        self.told.append(feedback)

    def state(self) -> Any:
        return bytearray(b"all of it")

    def restore(self, state: bytes) -> None:
        self.told.append(state)


class Broken:
    """Raises whatever it is asked."""

    def propose(self, *_: object) -> Any:
        raise ValueError("not\ntoday")

    update = state = restore = propose


Guard = Callable[[Any], GuardedAllocator]


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    def guarded(allocator: Any) -> GuardedAllocator:
        monkeypatch.setattr("readbench.trials.guarded.make_allocator", lambda *_, **__: allocator)
        return GuardedAllocator("odd", PROBLEM, 7)

    return guarded


def test_it_is_made_by_its_name_for_the_problem_with_the_seed_and_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make(*positional: Any, **params: Any) -> Allocator:
        made.append((positional, params))
        return Scripted(None)

    monkeypatch.setattr("readbench.trials.guarded.make_allocator", make)
    GuardedAllocator("odd", PROBLEM, 7, kappa=0.5)
    assert made == [(("odd", PROBLEM, 7), {"kappa": 0.5})]


@pytest.mark.parametrize("proposal", [[0.25, 0.75, 0.0], np.array([1, 0, 0]), np.array([0.25, 0.25, 0.5], dtype=np.float32)])
def test_what_is_on_the_simplex_is_taken_as_it_is(guard: Guard, proposal: Any) -> None:
    allocator = Scripted(proposal)
    allocation = guard(allocator).propose(OBSERVATION)
    assert allocation.dtype == np.float64
    assert allocation.tolist() == list(proposal)
    assert allocator.told == [OBSERVATION]


@pytest.mark.parametrize("total", [1 - 9e-7, 1 + 9e-7])
def test_a_sum_within_a_millionth_is_scaled_to_1(guard: Guard, total: float) -> None:
    allocation = guard(Scripted(np.array([0.5, 0.25, 0.25]) * total)).propose(OBSERVATION)
    assert allocation.tolist() == pytest.approx([0.5, 0.25, 0.25], abs=1e-15)


@pytest.mark.parametrize("total", [1 - 2e-6, 1 + 2e-6, 0.0])
def test_a_sum_further_off_fails_the_trial(guard: Guard, total: float) -> None:
    with pytest.raises(TrialFailure, match=r"^allocator 'odd' proposed \[.*\] in interval 2: not on the simplex$"):
        guard(Scripted(np.array([0.5, 0.25, 0.25]) * total)).propose(OBSERVATION)


def test_a_share_below_zero_fails_the_trial_however_small(guard: Guard) -> None:
    with pytest.raises(TrialFailure, match="not on the simplex"):
        guard(Scripted([1.0, 5e-9, -5e-9])).propose(OBSERVATION)


def test_feedback_and_state_are_handed_on(guard: Guard) -> None:
    allocator = Scripted(None)
    guarded = guard(allocator)
    guarded.update(FEEDBACK)
    guarded.restore(b"before")
    assert allocator.told == [FEEDBACK, b"before"]
    state = guarded.state()
    assert isinstance(state, bytes)
    assert state == b"all of it"


@pytest.mark.parametrize(
    "call",
    [
        lambda allocator: allocator.propose(OBSERVATION),
        lambda allocator: allocator.update(FEEDBACK),
        lambda allocator: allocator.state(),
        lambda allocator: allocator.restore(b""),
    ],
    ids=["propose", "update", "state", "restore"],
)
def test_what_it_raises_is_one_line_with_its_name(guard: Guard, call: Callable[[GuardedAllocator], object]) -> None:
    with pytest.raises(TrialFailure, match=r"^allocator 'odd' raised ValueError: not today$"):
        call(guard(Broken()))


def test_a_factory_that_raises_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.trials.guarded.make_allocator", Broken().propose)
    with pytest.raises(TrialFailure, match=r"^allocator 'odd' raised"):
        GuardedAllocator("odd", PROBLEM, 7)


class Explaining(Scripted):
    """Explains its proposal by what it was given."""

    def __init__(self, explanation: Any) -> None:
        super().__init__(np.array([1.0, 0.0, 0.0]))
        self.explanation = explanation

    def explain(self) -> Any:
        return self.explanation


def explanation(**changed: Any) -> Explanation:
    given = {"candidates": np.eye(3), "predicted": np.array([0.1, 0.2, 0.3]), "sd": np.zeros(3), "chosen": np.argmax([0, 0, 1])}
    return Explanation(**(given | changed))


def test_an_explanation_is_handed_on_and_is_none_without_one(guard: Guard) -> None:
    given = explanation()
    assert guard(Explaining(given)).explain() is given
    assert guard(Explaining(None)).explain() is None
    assert guard(Scripted(np.ones(3) / 3)).explain() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (explanation(predicted=np.array([0.1, np.nan, 0.3])), "predicted that are not"),
        (explanation(sd=np.zeros(2)), "sd that are not"),
        (explanation(sd=np.array([0.1, -0.1, 0.1])), "an sd below 0"),
        (explanation(candidates=np.ones(3)), "candidates that are not"),
        (explanation(scores=np.zeros((2, 3))), "scores that are not"),
        (explanation(chosen=3), "candidate 3 of 3"),
        (explanation(labels=("one",)), "1 labels of 3 candidates"),
        (explanation(sd=[0.1, 0.1, 0.1]), "raised AttributeError"),
        ("because", "raised AttributeError"),
    ],
)
def test_a_mistaken_explanation_is_one_line(guard: Guard, given: Any, said: str) -> None:
    with pytest.raises(TrialFailure, match=said):
        guard(Explaining(given)).explain()


def test_an_explanation_is_recorded_as_json_values() -> None:
    json.dumps(_values(explanation(scores=np.zeros((3, 3)))), allow_nan=False)
