"""EnsembleBandit against its twin, and what ReAD relies on: a true bootstrap spread, exact states, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readbench._core import EnsembleBandit, instruction_set
from support.numpy_twins import BanditTwin

Doubles = npt.NDArray[np.float64]


def taught(pairs: int, *, seed: int = 3, num_inputs: int = 6, hidden: int = 16) -> EnsembleBandit:
    bandit = EnsembleBandit(num_inputs, seed=seed, hidden=hidden)
    rng = np.random.default_rng(seed)
    for _ in range(pairs):
        inputs = rng.random(num_inputs)
        bandit.add(inputs, float(inputs[0] - 0.5 * inputs[1]))
    return bandit


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**64 - 1),
    pairs=st.integers(0, 30),
    num_inputs=st.integers(1, 9),
    hidden=st.integers(1, 20),
    batch_size=st.integers(1, 12),
    steps=st.integers(1, 40),
    num_members=st.integers(2, 3),
    scale=st.sampled_from([1e-3, 1.0, 50.0]),
)
def test_predictions_are_those_of_the_twin(
    seed: int, pairs: int, num_inputs: int, hidden: int, batch_size: int, steps: int, num_members: int, scale: float
) -> None:
    settings_ = {"num_members": num_members, "hidden": hidden, "batch_size": batch_size, "steps": steps}
    bandit, twin = EnsembleBandit(num_inputs, seed=seed, **settings_), BanditTwin(num_inputs, seed, **settings_)
    rng = np.random.default_rng(seed)
    for _ in range(pairs):
        inputs, reward = rng.random(num_inputs), float(rng.normal() * scale)
        bandit.add(inputs, reward)
        twin.add(inputs, reward)
    points = rng.random((7, num_inputs))
    mean, std = bandit.predict(points)
    expected_mean, expected_std = twin.predict(points)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-6, atol=1e-7 * scale)
    np.testing.assert_allclose(std, expected_std, rtol=1e-6, atol=1e-7 * scale)
    assert bandit.bootstrap_weights().tolist() == [twin.bootstrap_weights(member).tolist() for member in range(num_members)]


def test_the_default_fit_is_that_of_the_twin() -> None:
    bandit, twin = EnsembleBandit(25, seed=1), BanditTwin(25, 1)
    rng = np.random.default_rng(0)
    for _ in range(24):
        inputs, reward = rng.random(25), float(rng.normal())
        bandit.add(inputs, reward)
        twin.add(inputs, reward)
    points = rng.random((50, 25))
    for actual, expected in zip(bandit.predict(points), twin.predict(points), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8)


def test_selection_is_the_largest_bound_with_ties_to_the_lowest_index() -> None:
    bandit = taught(12)
    points = np.random.default_rng(1).random((40, 6))
    mean, std = bandit.predict(points)
    for kappa in (0.0, 0.5, 1.0, 20.0):
        assert bandit.select(points, kappa) == int(np.argmax(mean + kappa * std))
    assert bandit.select(np.tile(points[:1], (4, 1)), 1.0) == 0


def test_a_resample_is_drawn_once_and_a_refit_changes_nothing() -> None:
    few, many = taught(10), taught(40)
    np.testing.assert_array_equal(few.bootstrap_weights(), many.bootstrap_weights()[:, :10])
    points = np.random.default_rng(1).random((5, 6))
    first = few.predict(points)
    few.fit()
    np.testing.assert_array_equal(few.predict(points), first)


def test_large_spread_where_nothing_was_logged() -> None:
    bandit = EnsembleBandit(3, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(30):
        bandit.add(rng.random(3) * 0.3, float(rng.normal()))
    _, std = bandit.predict(np.array([[0.15] * 3, [1.0] * 3]))
    assert std[1] > 2.0 * std[0] > 0.0


@pytest.mark.parametrize("pairs", [0, 1, 7])
def test_a_restored_bandit_predicts_and_goes_on_with_the_same_bits(pairs: int) -> None:
    bandit = taught(pairs)
    restored = EnsembleBandit.from_bytes(bandit.to_bytes())
    points = np.random.default_rng(1).random((5, 6))
    for _ in range(2):
        np.testing.assert_array_equal(restored.predict(points), bandit.predict(points))
        assert restored.to_bytes() == bandit.to_bytes()
        for each in (bandit, restored):
            each.add(points[0], 0.25)
    assert restored.num_observations == pairs + 2


def test_damaged_bytes_are_refused() -> None:
    state = taught(3).to_bytes()
    for position in (0, 17, len(state) // 2, len(state) - 1):
        damaged = bytearray(state)
        damaged[position] ^= 8
        with pytest.raises(ValueError, match="bandit state"):
            EnsembleBandit.from_bytes(bytes(damaged))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_enters(value: float) -> None:
    bandit = taught(4)
    before = bandit.to_bytes()
    with pytest.raises(ValueError, match="reward must be finite"):
        bandit.add(np.zeros(6), value)
    with pytest.raises(ValueError, match="inputs must be finite"):
        bandit.add(np.array([0.0, 0.0, 0.0, 0.0, 0.0, value]), 0.0)
    with pytest.raises(ValueError, match="inputs must be finite"):
        bandit.predict(np.full((1, 6), value))
    with pytest.raises(ValueError, match="kappa must be finite"):
        bandit.select(np.zeros((1, 6)), value)
    assert bandit.to_bytes() == before


def test_arrays_of_another_kind_are_value_errors() -> None:
    bandit = taught(2)
    for inputs, message in (
        (np.zeros(6, dtype=np.float32), "float64"),
        (np.zeros(6, dtype=np.int64), "float64"),
        (np.zeros(5), "6 entries"),
        (np.zeros((1, 6)), "1 dimensions"),
    ):
        with pytest.raises(ValueError, match=message):
            bandit.add(inputs, 0.0)
    for inputs, message in ((np.zeros(6), "2 dimensions"), (np.zeros((2, 5)), "6 columns"), (np.zeros((0, 6)), "at least one")):
        with pytest.raises(ValueError, match=message):
            bandit.select(inputs, 1.0)
    assert [part.shape for part in bandit.predict(np.zeros((0, 6)))] == [(0,), (0,)]
    for setting in ({"num_members": 1}, {"hidden": 0}, {"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            EnsembleBandit(3, seed=0, **setting)


def test_threads_share_a_bandit_and_agree() -> None:
    points = np.random.default_rng(1).random((20, 6))
    expected = taught(20).predict(points)
    bandit = taught(20)
    with ThreadPoolExecutor(4) as pool:
        for actual in pool.map(lambda _: bandit.predict(points), range(16)):
            np.testing.assert_array_equal(actual, expected)
        added = [pool.submit(bandit.add, points[i], 0.1) for i in range(20)]
        for future in [*added, *[pool.submit(bandit.select, points, 1.0) for _ in range(20)]]:
            future.result()
    assert bandit.num_observations == 40


def test_other_threads_go_on_during_a_fit() -> None:
    bandit = EnsembleBandit(40, seed=0, steps=3000)
    for row in np.random.default_rng(0).random((40, 40)):
        bandit.add(row, float(row[0]))
    worker = threading.Thread(target=bandit.fit)
    worker.start()
    turns = 0
    while worker.is_alive():
        turns += 1
    assert turns > 1000  # were the lock of the interpreter held, this loop would stand still


def test_the_instruction_set_has_a_name() -> None:
    assert instruction_set() in {"avx512", "avx2", "portable"}
