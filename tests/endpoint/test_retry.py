"""Back-off as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench.teachers.endpoint.client import retry_after
from readbench.teachers.endpoint.retry import LONGEST_SECONDS, RetryPolicy

POLICY = RetryPolicy(attempts=20, base_seconds=1.0)


@given(attempt=st.integers(1, 19), seed=st.integers(0, 2**64 - 1))
def test_a_wait_doubles_with_every_attempt_is_jittered_bounded_and_repeatable(attempt: int, seed: int) -> None:
    delay = POLICY.delay(attempt, wait_seconds=None, seed=seed)
    whole = min(LONGEST_SECONDS, 2.0 ** (attempt - 1))
    assert delay is not None
    assert whole / 2 <= delay <= whole
    assert POLICY.delay(attempt, wait_seconds=None, seed=seed) == delay


def test_workers_that_failed_together_do_not_come_back_together() -> None:
    assert len({POLICY.delay(3, wait_seconds=None, seed=seed) for seed in range(20)}) == 20


def test_the_last_attempt_is_the_last() -> None:
    assert POLICY.delay(20, wait_seconds=None, seed=0) is None
    assert RetryPolicy(attempts=1, base_seconds=1.0).delay(1, wait_seconds=None, seed=0) is None


def test_a_time_that_the_endpoint_names_is_kept_up_to_a_bound() -> None:
    assert POLICY.delay(1, wait_seconds=30.0, seed=0) == 30.0
    assert (POLICY.delay(5, wait_seconds=1.0, seed=0) or 0) >= 8.0
    assert POLICY.delay(1, wait_seconds=LONGEST_SECONDS + 1, seed=0) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 2014 07:28:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("9" * 400, None),
        ("٥", None),
        ("inf", None),
        ("Wed, 99 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, 1445412420.0) == seconds  # a minute before the first date
