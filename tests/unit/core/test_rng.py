"""CounterRng against its twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench._core import CounterRng
from support.numpy_twins import RngTwin

WORDS = st.integers(0, 2**64 - 1)


@given(seed=WORDS, stream=WORDS, start=st.integers(0, 2**64 - 20))
def test_draws_are_those_of_the_twin(seed: int, stream: int, start: int) -> None:
    rng, twin = CounterRng(seed, stream), RngTwin(seed, stream)
    indices = range(start, start + 10)
    assert rng.bits(start, 10).tolist() == [twin.bits(i) for i in indices]
    assert rng.uniform(start, 10).tolist() == [twin.uniform(i) for i in indices]
    assert rng.poisson(start, 10).tolist() == [twin.poisson(i) for i in indices]
    np.testing.assert_allclose(rng.normal(start, 10), [twin.normal(i) for i in indices], rtol=1e-12, atol=1e-15)


@given(seed=WORDS, n=st.integers(0, 60), start=st.integers(0, 2**63))
def test_permutations_are_those_of_the_twin(seed: int, n: int, start: int) -> None:
    assert CounterRng(seed).permutation(n, start).tolist() == RngTwin(seed).permutation(n, start)


def test_a_draw_does_not_depend_on_how_it_is_reached() -> None:
    rng = CounterRng(5)
    np.testing.assert_array_equal(rng.uniform(0, 100)[40:60], rng.uniform(40, 20))
    assert not np.array_equal(rng.uniform(0, 5), CounterRng(5, 1).uniform(0, 5))
    assert not np.array_equal(rng.uniform(0, 5), CounterRng(6).uniform(0, 5))


def test_a_seed_that_is_no_unsigned_word_is_refused() -> None:
    for seed in (-1, 2**64):
        with pytest.raises(TypeError):
            CounterRng(seed)
