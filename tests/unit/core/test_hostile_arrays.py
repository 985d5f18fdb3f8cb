"""What the bindings take: arrays of the right type, rank, size and values, however they lie in memory; all else is an error, never a guess.

Taken: contiguous or strided, reversed, overlapping, broadcast, read-only and unaligned arrays of float64 or int64, and lists of such
numbers. ValueError: another type or byte order, another rank or size, NaN, infinities, what is out of range.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from readbench._core import CounterRng, EnsembleBandit, Ledger, Scheduler

REFUSALS = (ValueError, TypeError, OverflowError)
ANY_DTYPE = st.sampled_from(["f8", "f4", "f2", ">f8", "i8", ">i8", "i4", "u8", "?", "c16", "O", "S3", "U3", "M8[s]", "i4,f8"])
ANY_ARRAY = ANY_DTYPE.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=st.just(None) if dtype == "O" else None if dtype != "i4,f8" else st.tuples(st.integers(0, 3), st.floats(0, 1)),
    )
)
NASTY = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 5e-324, 2.2e-308, 1e30, -1e30, 1e31, 1e100, 1e101, 1.7e308, np.inf, -np.inf, np.nan])
)


def taught() -> EnsembleBandit:
    bandit = EnsembleBandit(2, seed=1, hidden=4, steps=3)
    bandit.add(np.array([0.25, 0.5]), 1.0)
    bandit.add(np.array([0.5, 0.25]), 0.0)
    return bandit


CALLS: dict[str, Callable[[Any], Any]] = {
    "grant": lambda array: Scheduler(2).grant(array, 10),
    "admit": lambda array: Scheduler(2).admit(0, array),
    "admit_remainder": lambda array: Scheduler(2).admit_remainder(array, 5),
    "most_owed": lambda array: Scheduler(2).most_owed(array),
    "estimate": lambda array: Scheduler(2).estimate(array),
    "add": lambda array: taught().add(array, 0.5),
    "predict": lambda array: taught().predict(array),
    "select": lambda array: taught().select(array, 1.0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@given(array=ANY_ARRAY)
def test_any_array_is_taken_or_refused(call: Callable[[Any], Any], array: np.ndarray[Any, Any]) -> None:
    try:
        found = call(array)
    except REFUSALS:
        pass
    else:
        wanted = "int64" if call in (CALLS["admit"], CALLS["admit_remainder"], CALLS["most_owed"]) else "float64"
        assert array.dtype == wanted
        assert array.dtype.isnative
        if isinstance(found, tuple):
            assert all(np.isfinite(part).all() for part in found)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("thing", [None, "ab", 3, object, {}, [[], [1.0]], ["a", "b"], [None, None], b"xx"], ids=repr)
def test_what_is_no_array_is_refused(call: Callable[[Any], Any], thing: Any) -> None:
    with pytest.raises(REFUSALS):
        call(thing)


@given(values=st.lists(NASTY, min_size=2, max_size=2), kappa=NASTY, reward=NASTY)
def test_the_bandit_s_numbers_stay_finite_or_are_refused(values: list[float], kappa: float, reward: float) -> None:
    bandit = EnsembleBandit(2, seed=1, hidden=4, steps=5, learning_rate=1.0)
    row = np.array(values)
    legal = bool((np.abs(row) <= 1e30).all())
    try:
        bandit.add(row, reward)
    except ValueError:
        assert not legal or not abs(reward) <= 1e100
        assert bandit.num_observations == 0
        return
    assert legal
    bandit.add(row[::-1], -reward)
    mean, std = bandit.predict(np.stack([row, row[::-1]]))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    if np.isfinite(kappa) and abs(kappa) <= 1e100:
        assert bandit.select(row[None], kappa) == 0
    else:
        with pytest.raises(ValueError, match="kappa"):
            bandit.select(row[None], kappa)


@given(values=st.lists(NASTY, min_size=3, max_size=3), tokens=st.integers(-(2**63), 2**63 - 1))
def test_a_grant_gives_away_exactly_its_tokens_or_nothing(values: list[float], tokens: int) -> None:
    scheduler = Scheduler(3)
    try:
        scheduler.grant(np.array(values), tokens)
    except ValueError:
        assert scheduler.deficits.tolist() == [0, 0, 0]
    else:
        assert min(values) >= 0
        assert abs(sum(values) - 1) <= 1e-6
        assert scheduler.deficits.sum() == tokens
        assert (scheduler.deficits >= 0).all()


@given(costs=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5))
def test_extreme_costs_never_overdraw_a_deficit(costs: list[int]) -> None:
    scheduler = Scheduler(1)
    scheduler.grant(np.array([1.0]), 2**36)
    try:
        taken = scheduler.admit(0, np.array(costs, dtype=np.int64))
    except ValueError:
        assert any(cost < 1 for cost in costs)
        assert scheduler.deficits.tolist() == [2**36]
    else:
        assert scheduler.deficits.tolist() == [2**36 - sum(costs[:taken])]
        assert scheduler.deficits[0] >= 0


WORD = st.integers(-(2**63), 2**63 - 1)


@given(charges=st.lists(st.tuples(st.integers(-2, 3), WORD, WORD), max_size=8))
def test_no_charge_passes_the_budget_or_wraps_around(charges: list[tuple[int, int, int]]) -> None:
    ledger = Ledger(2**63 - 1, 2)
    for capability, generated, trained in charges:
        before = ledger.to_bytes(), ledger.spent_tokens
        try:
            ledger.charge_example(capability, generated_tokens=generated, trained_tokens=trained)
        except ValueError:
            assert (ledger.to_bytes(), ledger.spent_tokens) == before
        else:
            assert ledger.spent_tokens == before[1] + generated + trained
        assert ledger.remaining_tokens == 2**63 - 1 - ledger.spent_tokens >= 0
    with pytest.raises(ValueError, match=r"passes|counted|in 0"):
        ledger.charge_example(0, generated_tokens=2**63 - 1, trained_tokens=2**63 - 1)


def layouts(rows: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The same (n, 2) values as differently laid out arrays."""
    spaced = np.full((2 * len(rows), 6), np.nan)
    spaced[::2, ::3] = rows
    unaligned = np.frombuffer(b"\0" + rows.tobytes(), dtype=np.uint8)[1:].view("V8").view("f8").reshape(rows.shape)
    frozen = rows.copy()
    frozen.flags.writeable = False
    return {
        "strided": spaced[::2, ::3],
        "reversed": rows[::-1, ::-1].copy()[::-1, ::-1],
        "fortran": np.asfortranarray(rows),
        "transposed": rows.T.copy().T,
        "read-only": frozen,
        "unaligned": unaligned,
        "memory map": np.lib.stride_tricks.as_strided(rows, rows.shape, rows.strides, writeable=False),
    }


@given(rows=hnp.arrays("f8", st.tuples(st.integers(1, 5), st.just(2)), elements=st.floats(0, 1)))
def test_the_layout_in_memory_changes_no_result(rows: np.ndarray[Any, Any]) -> None:
    bandit = taught()
    mean, std = bandit.predict(rows)
    for name, array in layouts(rows).items():
        before = array.copy()
        found = bandit.predict(array)
        np.testing.assert_array_equal(found[0], mean, err_msg=name)
        np.testing.assert_array_equal(found[1], std, err_msg=name)
        np.testing.assert_array_equal(array, before, err_msg=name)
        assert bandit.select(array, 0.5) == bandit.select(rows, 0.5)


def test_overlapping_and_broadcast_arrays_are_read_as_what_they_show() -> None:
    line = np.linspace(0, 1, 6)
    windows = np.lib.stride_tricks.sliding_window_view(line, 2)
    same = np.broadcast_to(np.array([0.25, 0.5]), (4, 2))
    for view in (windows, same):
        for ours, theirs in zip(taught().predict(view), taught().predict(np.ascontiguousarray(view)), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_no_rows_are_no_predictions_and_nothing_to_select() -> None:
    mean, std = taught().predict(np.empty((0, 2)))
    assert mean.shape == std.shape == (0,)
    with pytest.raises(ValueError, match="at least one candidate"):
        taught().select(np.empty((0, 2)), 1.0)


@pytest.mark.parametrize("size", [0, -1, 4097, 2**31, 2**62, 2**63 - 1, -(2**63)])
def test_a_number_of_capabilities_without_sense_is_refused_before_memory_is_taken(size: int) -> None:
    for make in (lambda: Ledger(10, size), lambda: Scheduler(size), lambda: EnsembleBandit(size, seed=0)):
        with pytest.raises(ValueError, match=r"must be in 1\.\."):
            make()


@pytest.mark.parametrize("size", [2**63, 2**64, 10**30, 1.5, "3", None])
def test_a_size_that_is_no_64_bit_integer_is_a_type_error(size: Any) -> None:
    for make in (lambda: Ledger(10, size), lambda: Scheduler(size), lambda: EnsembleBandit(size, seed=0), lambda: Ledger(size, 1)):
        with pytest.raises(TypeError):
            make()


def test_one_capability_and_the_most_there_may_be() -> None:
    for size in (1, 4096):
        scheduler, ledger = Scheduler(size), Ledger(10**9, size)
        scheduler.grant(np.full(size, 1 / size), 10**6)
        assert scheduler.deficits.sum() == 10**6
        ledger.charge_example(size - 1, generated_tokens=1, trained_tokens=2)
        assert ledger.spent_tokens == 3
        assert Ledger.from_bytes(ledger.to_bytes()) == ledger


def test_an_ensemble_of_gigabytes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 2\^25"):
        EnsembleBandit(4096, seed=0, num_members=64, hidden=1024)


@pytest.mark.parametrize("method", ["bits", "uniform", "normal", "poisson"])
def test_random_numbers_without_end_are_refused(method: str) -> None:
    rng = CounterRng(0)
    for count in (2**27 + 1, 2**40, 2**63, 2**64 - 1):
        with pytest.raises(ValueError, match="count must be at most"):
            getattr(rng, method)(0, count)
    assert len(getattr(rng, method)(2**64 - 1, 3)) == 3  # the index wraps, as a counter does
    with pytest.raises(ValueError, match="n must be at most"):
        rng.permutation(2**32 - 1)
