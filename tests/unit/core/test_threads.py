"""Numeric loops run without the GIL, and threads that share an object find what one thread finds."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from readbench._core import CounterRng, EnsembleBandit, Ledger


def large() -> EnsembleBandit:
    """One whose fit takes far longer than a thread switch (some tenths of a second)."""
    bandit = EnsembleBandit(40, seed=1, steps=4000)
    rng = np.random.default_rng(0)
    for _ in range(60):
        bandit.add(rng.random(40), rng.random())
    return bandit


def fit() -> None:
    large().fit()


def predict() -> None:
    large().predict(np.zeros((1, 40)))


def draw() -> None:
    CounterRng(0).normal(0, 3_000_000)


def hold() -> None:
    sum(range(5_000_000))


def counted_during(work: Callable[[], None]) -> int:
    """How far a thread counts while another works, where the interpreter takes the GIL away from nobody (in less than an hour)."""
    began, ended, counted = threading.Event(), threading.Event(), [0]

    def count() -> None:
        began.wait()
        while not ended.is_set():
            counted[0] += 1
            ended.wait(0.0001)  # gives the GIL back: a loop that kept it would starve the work it waits for

    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    sys.setswitchinterval(3600)
    try:
        began.set()
        at_start = counted[0]
        work()
        at_end = counted[0]
    finally:
        sys.setswitchinterval(before)
        ended.set()
        thread.join()
    return at_end - at_start


@pytest.mark.parametrize("work", [fit, predict, draw])
def test_another_thread_goes_on_while_the_core_computes(work: Callable[[], None]) -> None:
    assert counted_during(work) > 5


def test_the_counter_stands_still_where_the_lock_is_kept() -> None:
    assert counted_during(hold) <= 1


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    gate = threading.Barrier(4)

    def together(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(4) as executor:
        return list(executor.map(together, range(4)))


def small(seed: int) -> EnsembleBandit:
    bandit = EnsembleBandit(3, seed=seed, hidden=8, steps=20)
    for n in range(5):
        bandit.add(np.full(3, n / 5), n / 5)
    return bandit


def test_threads_with_a_bandit_each_find_what_one_finds() -> None:
    rows = np.linspace(0, 1, 12).reshape(4, 3)
    for number, (mean, std) in enumerate(in_threads(lambda n: small(n).predict(rows))):
        np.testing.assert_array_equal(mean, small(number).predict(rows)[0])
        np.testing.assert_array_equal(std, small(number).predict(rows)[1])


def test_threads_may_share_a_bandit() -> None:
    shared, rows = small(0), np.linspace(0, 1, 12).reshape(4, 3)
    expected = small(0).predict(rows)
    for mean, std in in_threads(lambda _: shared.predict(rows)):
        np.testing.assert_array_equal(mean, expected[0])
        np.testing.assert_array_equal(std, expected[1])

    def change_and_read(number: int) -> None:
        shared.add(np.full(3, 0.1 * number), 0.5)
        shared.bootstrap_weights()
        shared.to_bytes()

    in_threads(change_and_read)
    assert shared.num_observations == 9


def test_threads_may_charge_one_ledger() -> None:
    ledger = Ledger(4_000, 2)
    in_threads(lambda n: [ledger.charge_example(n % 2, generated_tokens=1, trained_tokens=1) for _ in range(500)])
    assert ledger.remaining_tokens == 0
    expected = Ledger(4_000, 2)
    for capability in (0, 1):
        expected.charge_example(capability, generated_tokens=1_000, trained_tokens=1_000)
    assert ledger == expected
