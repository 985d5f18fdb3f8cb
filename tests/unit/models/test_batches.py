"""Batches: nothing is lost, little is padded."""

from hypothesis import given
from hypothesis import strategies as st

from readbench.models.batches import chunks_by_length

LENGTHS = st.lists(st.integers(min_value=2, max_value=60), min_size=1, max_size=200)


@given(LENGTHS, st.integers(min_value=1, max_value=500))
def test_every_example_is_in_one_chunk_and_chunks_follow_the_length(lengths: list[int], chunk_tokens: int) -> None:
    chunks = chunks_by_length(lengths, chunk_tokens)
    assert [index for chunk in chunks for index in chunk] == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    assert all(chunks)


@given(LENGTHS, st.integers(min_value=60, max_value=500))
def test_chunks_are_about_as_large_as_asked(lengths: list[int], chunk_tokens: int) -> None:
    chunks = chunks_by_length(lengths, chunk_tokens)
    assert max(sum(lengths[index] for index in chunk) for chunk in chunks) <= 1.5 * chunk_tokens + 60
    assert len(chunks) <= max(1, round(sum(lengths) / chunk_tokens))
