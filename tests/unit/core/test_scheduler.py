"""Scheduler against its twin, and the promise that allocations become tokens to within one example."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench._core import Scheduler
from support.numpy_twins import SchedulerTwin

DEAREST = 40  # tokens of the largest example below
COSTS = st.integers(1, DEAREST)


@st.composite
def simplex(draw: st.DrawFn, size: int) -> list[float]:
    weights = draw(st.lists(st.floats(0.0, 1.0), min_size=size, max_size=size))
    total = sum(weights)
    return [weight / total for weight in weights] if total > 1e-300 else [1.0 / size] * size


@st.composite
def trials(draw: st.DrawFn) -> tuple[list[list[float]], int, list[list[int]]]:
    """Allocations (T, K), tokens of an interval, costs of each capability's slots in stream order (repeated for ever)."""
    size = draw(st.integers(1, 5))
    allocations = draw(st.lists(simplex(size), min_size=1, max_size=6))
    streams = draw(st.lists(st.lists(COSTS, min_size=1, max_size=7), min_size=size, max_size=size))
    return allocations, draw(st.integers(0, 400)), streams


@given(trial=trials(), chunk=st.integers(1, 9))
def test_served_tokens_track_granted_ones_and_never_pass_the_budget(
    trial: tuple[list[list[float]], int, list[list[int]]], chunk: int
) -> None:
    allocations, tokens, streams = trial
    size, budget = len(streams), tokens * len(allocations)
    scheduler, twin = Scheduler(size), SchedulerTwin([0] * size)
    granted, served, taken = np.zeros(size, dtype=np.int64), [0] * size, [0] * size

    def heads(c: int, count: int) -> list[int]:
        return [streams[c][i % len(streams[c])] for i in range(taken[c], taken[c] + count)]

    for allocation in allocations:
        before = scheduler.deficits
        scheduler.grant(np.array(allocation), tokens)
        twin.grant(allocation, tokens)
        assert scheduler.deficits.tolist() == twin.deficits
        assert (scheduler.deficits - before).sum() == tokens
        granted += scheduler.deficits - before
        for c in range(size):
            while True:
                costs = heads(c, chunk)
                count = scheduler.admit(c, np.array(costs))
                assert count == twin.admit(c, costs)
                served[c] += sum(costs[:count])
                taken[c] += count
                if count < len(costs):
                    break
            assert 0 <= granted[c] - served[c] < DEAREST
    for _ in range(size + 1):
        costs = [heads(c, 1)[0] for c in range(size)]
        last = scheduler.admit_remainder(np.array(costs), budget - sum(served))
        assert last == twin.admit_remainder(costs, budget - sum(served))
        if last < 0:
            break
        served[last] += costs[last]
        taken[last] += 1
    assert last == -1  # it ends
    assert sum(served) <= budget
    assert all(abs(granted[c] - served[c]) < DEAREST for c in range(size))
    assert Scheduler.from_bytes(scheduler.to_bytes()) == scheduler


@given(tokens=st.integers(0, 500), costs=st.lists(COSTS, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=5))
def test_admission_does_not_depend_on_how_the_stream_is_cut(tokens: int, costs: list[int], cuts: list[int]) -> None:
    whole, cut = Scheduler(1), Scheduler(1)
    for scheduler in (whole, cut):
        scheduler.grant(np.ones(1), tokens)
    expected = whole.admit(0, np.array(costs, dtype=np.int64))
    edges = sorted({0, len(costs), *(edge for edge in cuts if edge < len(costs))})
    served = 0
    for start, stop in itertools.pairwise(edges):
        count = cut.admit(0, np.array(costs[start:stop], dtype=np.int64))
        served += count
        if count < stop - start:
            break
    assert served == expected
    assert cut == whole


@given(trial=trials(), ahead=st.integers(1, 6))
def test_costs_known_afterwards_track_granted_tokens_to_within_what_was_prepared_together(
    trial: tuple[list[list[float]], int, list[list[int]]], ahead: int
) -> None:
    """Rounds of up to `ahead` slots, each reckoned at the dearest, whose costs show only when the round is over."""
    allocations, tokens, streams = trial
    size, budget = len(streams), tokens * len(allocations)
    scheduler, twin = Scheduler(size), SchedulerTwin([0] * size)
    granted, served, taken = np.zeros(size, dtype=np.int64), [0] * size, [0] * size
    for allocation in allocations:
        before = scheduler.deficits
        scheduler.grant(np.array(allocation), tokens)
        twin.grant(allocation, tokens)
        granted += scheduler.deficits - before
        while True:
            pending, prepared = [0] * size, []
            while len(prepared) < ahead and (c := scheduler.most_owed(np.array(pending))) >= 0:
                assert c == twin.most_owed(pending)
                if (len(prepared) + 1) * DEAREST > budget - sum(served):
                    break
                pending[c] += DEAREST
                prepared.append(c)
            for c in prepared:
                cost = streams[c][taken[c] % len(streams[c])]
                scheduler.spend(c, cost)
                twin.deficits[c] -= cost
                served[c] += cost
                taken[c] += 1
            assert scheduler.deficits.tolist() == twin.deficits
            if not prepared:
                break
        assert sum(served) <= budget
        over = [spent - allowed for spent, allowed in zip(served, granted.tolist(), strict=True)]
        assert all(each < DEAREST for each in over)  # never past the grant by a whole slot, since each was reckoned at its worst
    assert budget - sum(served) < DEAREST or scheduler.most_owed(np.zeros(size, dtype=np.int64)) == -1
    assert Scheduler.from_bytes(scheduler.to_bytes()) == scheduler


def test_a_capability_in_debt_waits_until_its_grants_have_paid() -> None:
    scheduler = Scheduler(2)
    scheduler.grant(np.array([0.5, 0.5]), 100)
    scheduler.spend(0, 180)
    scheduler.spend(1, 50)
    assert scheduler.most_owed(np.zeros(2, dtype=np.int64)) == -1
    scheduler.grant(np.array([1.0, 0.0]), 130)
    assert scheduler.most_owed(np.zeros(2, dtype=np.int64)) == -1
    scheduler.grant(np.array([1.0, 0.0]), 1)
    assert scheduler.most_owed(np.zeros(2, dtype=np.int64)) == 0
    for capability, tokens in ((2, 1), (0, -1), (0, 2**40)):
        with pytest.raises(ValueError, match=r"capability|tokens"):
            scheduler.spend(capability, tokens)
    with pytest.raises(ValueError, match="negative"):
        scheduler.most_owed(np.array([0, -1]))


def test_estimates_are_what_the_deficits_pay_for() -> None:
    scheduler = Scheduler(3)
    scheduler.grant(np.array([0.5, 0.5, 0.0]), 100)
    assert scheduler.admit_remainder(np.array([60, -1, -1]), 100) == 0
    assert scheduler.deficits.tolist() == [-10, 50, 0]
    assert scheduler.estimate(np.array([7.0, 7.0, 7.0])).tolist() == [0, 8, 0]


@pytest.mark.parametrize(
    ("allocation", "message"),
    [
        (np.array([0.5, 0.6]), "sum to 1"),
        (np.array([1.1, -0.1]), "negative"),
        (np.array([np.nan, 1.0]), "NaN"),
        (np.array([1.0]), "2 entries"),
        (np.array([[0.5, 0.5]]), "1 dimensions"),
        (np.array([1, 0]), "float64"),
        (np.array([1.0, 0.0], dtype=np.float32), "float64"),
    ],
)
def test_a_bad_allocation_is_a_value_error(allocation: np.ndarray, message: str) -> None:
    scheduler = Scheduler(2)
    with pytest.raises(ValueError, match=message):
        scheduler.grant(allocation, 10)
    assert scheduler == Scheduler(2)


def test_costs_without_progress_are_refused() -> None:
    scheduler = Scheduler(2)
    scheduler.grant(np.array([0.5, 0.5]), 10)
    with pytest.raises(ValueError, match="at least 1"):
        scheduler.admit(0, np.array([1, 0]))
    with pytest.raises(ValueError, match="at least 1"):
        scheduler.admit_remainder(np.array([0, 1]), 10)
    with pytest.raises(ValueError, match="at least 1"):
        scheduler.estimate(np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="int64"):
        scheduler.admit(0, np.array([1.0]))
    assert scheduler.deficits.tolist() == [5, 5]


def test_strided_arrays_are_read_in_their_order() -> None:
    scheduler = Scheduler(2)
    scheduler.grant(np.array([0.25, 9.0, 0.75, 9.0])[::2], 100)
    assert scheduler.admit(1, np.array([70, 0, 5, 0, 1, 0])[::2]) == 2


def test_damaged_bytes_are_refused() -> None:
    state = Scheduler(2).to_bytes()
    for damaged in (state[:-1] + bytes([state[-1] ^ 4]), state[:10], b"readbench.ledger" + state):
        with pytest.raises(ValueError, match="scheduler state"):
            Scheduler.from_bytes(damaged)
