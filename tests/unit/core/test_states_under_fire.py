"""States that were damaged, or forged with a right checksum: ValueError that says why, or the object that they describe.

Never a crash, never gigabytes.
"""

import contextlib
import resource
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench._core import EnsembleBandit, Ledger, Scheduler
from support.numpy_twins import sealed


def sound() -> dict[str, tuple[Any, bytes]]:
    ledger = Ledger(1000, 3)
    ledger.charge_example(2, generated_tokens=7, trained_tokens=11)
    scheduler = Scheduler(3)
    scheduler.grant(np.array([0.5, 0.25, 0.25]), 101)
    bandit = EnsembleBandit(2, seed=3, hidden=4, steps=2)
    bandit.add(np.array([0.25, 0.5]), 1.0)
    return {
        "ledger": (Ledger, ledger.to_bytes()),
        "scheduler": (Scheduler, scheduler.to_bytes()),
        "bandit": (EnsembleBandit, bandit.to_bytes()),
    }


SOUND = sound()
WORDS = st.sampled_from([0, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 0x7FF0000000000000, 0x7FF8000000000001, 4097, 64, 1024])


@pytest.mark.parametrize("kind", SOUND.keys())
def test_a_sound_state_comes_back(kind: str) -> None:
    cls, state = SOUND[kind]
    assert cls.from_bytes(state).to_bytes() == state


@pytest.mark.parametrize("kind", SOUND.keys())
@given(data=st.data())
def test_a_forged_state_is_refused_or_is_what_it_says(kind: str, data: st.DataObject) -> None:
    cls, state = SOUND[kind]
    body = bytearray(state[:-8])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(body) - 1, 0)))
        match data.draw(st.integers(0, 3)):
            case 0:
                body[at : at + 8] = data.draw(WORDS).to_bytes(8, "little")
            case 1:
                del body[at : at + data.draw(st.integers(1, 24))]
            case 2:
                body[at:at] = data.draw(st.binary(max_size=32))
            case 3:
                body[at:at] = body[at : at + 8 * data.draw(st.integers(1, 4))]
    forged = sealed(bytes(body))
    with contextlib.suppress(ValueError):
        assert cls.from_bytes(forged).to_bytes() == forged


@pytest.mark.parametrize("kind", SOUND.keys())
@given(data=st.binary(max_size=200))
def test_bytes_of_something_else_are_refused(kind: str, data: bytes) -> None:
    cls, state = SOUND[kind]
    for other in (data, state + data if data else b"", state[: len(data)] if len(data) < len(state) else b"", sealed(data)):
        with pytest.raises(ValueError, match="state: "):
            cls.from_bytes(other)


@pytest.mark.parametrize("kind", SOUND.keys())
@pytest.mark.parametrize("thing", [None, "text", 3, bytearray(b"x"), [1]], ids=repr)
def test_a_state_is_bytes(kind: str, thing: Any) -> None:
    with pytest.raises(TypeError):
        SOUND[kind][0].from_bytes(thing)


def test_a_state_of_a_hundred_bytes_takes_no_gigabytes() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for sizes in ((4096, 64, 1024, 1, 1), (2**62, 64, 1024, 1, 1), (4096, 2**62, 1024, 1, 1), (4096, 64, 2**62, 1, 1)):
        words = b"".join(value.to_bytes(8, "little") for value in (1, *sizes))
        with pytest.raises(ValueError, match="must be"):
            EnsembleBandit.from_bytes(sealed(b"readbench.bandit" + words + np.float64(0.01).tobytes() + bytes(8)))
    for magic, claimed in ((b"readbench.ledger", 2**62), (b"readbench.ledger", 4096)):
        words = b"".join(value.to_bytes(8, "little") for value in (1, 100, claimed))
        with pytest.raises(ValueError, match=r"accounts|must be"):
            Ledger.from_bytes(sealed(magic + words))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "kilobytes"
