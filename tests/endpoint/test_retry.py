"""When a prompt is asked again, and after how long."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench.teachers.endpoint.faults import Fault
from readbench.teachers.endpoint.retry import LONGEST_SECONDS, retrying
from readbench.teachers.endpoint.servers.client import retry_after


def waits(prompt: str = "", *faults: Fault, attempts: int = 20) -> list[float]:
    """Seconds between the attempts of a prompt that meets these faults, each once, and the last of them for ever."""
    slept: list[float] = []
    left = list(faults or [Fault("busy", retry=True)])

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def fail() -> None:
        raise left.pop(0) if len(left) > 1 else left[0]

    with pytest.raises(Fault):
        asyncio.run(retrying(prompt, attempts=attempts, base_seconds=1.0, sleep=sleep)(fail))
    return slept


@given(prompt=st.text())
def test_a_wait_doubles_with_every_attempt_is_jittered_bounded_and_repeatable(prompt: str) -> None:
    slept = waits(prompt)
    assert len(slept) == 19
    for attempt, seconds in enumerate(slept, start=1):
        whole = min(LONGEST_SECONDS, 2.0 ** (attempt - 1))
        assert whole / 2 <= seconds <= whole
    assert waits(prompt) == slept


def test_prompts_that_failed_together_do_not_come_back_together() -> None:
    assert len({waits(f"{number}", attempts=4)[2] for number in range(20)}) == 20


def test_the_waits_of_a_prompt_stay_the_same() -> None:
    assert waits("How many?", attempts=4) == [0.9390025856882843, 1.0288880008259467, 3.1764035394822496]


def test_the_last_attempt_is_the_last() -> None:
    assert waits(attempts=1) == []
    assert len(waits(attempts=3)) == 2


def test_a_fault_that_does_not_pass_stops_at_once() -> None:
    assert waits("", Fault("no such model", refused=True)) == []
    assert len(waits("", Fault("busy", retry=True), Fault("no such model", refused=True))) == 1


def test_a_time_that_the_endpoint_names_is_kept_up_to_a_bound() -> None:
    assert waits("", Fault("busy", retry=True, wait_seconds=30.0), attempts=2) == [30.0]
    assert waits("", Fault("busy", retry=True, wait_seconds=1.0), attempts=6)[4] >= 8.0
    assert waits("", Fault("busy", retry=True, wait_seconds=LONGEST_SECONDS + 1)) == []


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
