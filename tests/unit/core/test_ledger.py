"""Ledger against its twin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench._core import BudgetExceeded, Ledger
from support.numpy_twins import LedgerTwin, sealed

KINDS = ("generated_tokens", "trained_tokens", "scored_tokens", "rollout_tokens")


@given(
    budget=st.integers(1, 300),
    num_capabilities=st.integers(1, 4),
    charges=st.lists(st.tuples(st.integers(0, 3), *[st.integers(0, 90)] * 4), max_size=40),
)
def test_any_charges_leave_the_accounts_of_the_twin(budget: int, num_capabilities: int, charges: list[tuple[int, ...]]) -> None:
    ledger, twin = Ledger(budget, num_capabilities), LedgerTwin(budget, num_capabilities)
    for column, *tokens in charges:
        capability = column % num_capabilities
        try:
            ledger.charge_example(capability, **dict(zip(KINDS, tokens, strict=True)))
        except BudgetExceeded:
            assert not twin.charge_example(capability, *tokens)
        else:
            assert twin.charge_example(capability, *tokens)
        assert ledger.to_bytes() == twin.to_bytes()
        assert ledger.spent_tokens == twin.spent_tokens <= budget
        assert ledger.spent_tokens + ledger.remaining_tokens == budget
    restored = Ledger.from_bytes(ledger.to_bytes())
    assert restored == ledger
    assert (restored.spent_tokens, restored.to_bytes()) == (ledger.spent_tokens, ledger.to_bytes())


def test_a_refusal_says_what_is_left() -> None:
    ledger = Ledger(10, 2)
    ledger.charge_example(0, generated_tokens=3, trained_tokens=4)
    with pytest.raises(BudgetExceeded, match="a charge of 4 tokens passes the limit: 3 of 10 are left"):
        ledger.charge_example(1, generated_tokens=2, trained_tokens=2)


@pytest.mark.parametrize("flip", [0, 3, 20, -1])
def test_damaged_bytes_are_refused(flip: int) -> None:
    ledger = Ledger(100, 2)
    ledger.charge_example(1, generated_tokens=0, trained_tokens=42)
    damaged = bytearray(ledger.to_bytes())
    damaged[flip] ^= 1
    for state in (bytes(damaged), ledger.to_bytes()[:-1], b""):
        with pytest.raises(ValueError, match="ledger state"):
            Ledger.from_bytes(state)


def test_tokens_on_an_account_that_is_not_in_use_are_refused() -> None:
    state = bytearray(Ledger(100, 2).to_bytes()[:-8])
    state[-8] = 1
    with pytest.raises(ValueError, match="ledger state: tokens on an account that is not in use"):
        Ledger.from_bytes(sealed(bytes(state)))


def test_bad_arguments_are_value_errors() -> None:
    ledger = Ledger(10, 2)
    for capability, tokens in ((2, 1), (-1, 1), (0, -1)):
        for kind in KINDS:
            costs = {"generated_tokens": 0, "trained_tokens": 0, kind: tokens}
            with pytest.raises(ValueError, match=r"capability|tokens"):
                ledger.charge_example(capability, **costs)
    for budget, num_capabilities in ((0, 1), (-5, 1), (1, 0), (1, 5000)):
        with pytest.raises(ValueError, match=r"budget_tokens|num_capabilities"):
            Ledger(budget, num_capabilities)
    with pytest.raises(TypeError):
        ledger.charge_example(0, generated_tokens=0, trained_tokens=1.5)  # type: ignore[arg-type]
    assert ledger == Ledger(10, 2)
    assert ledger != Ledger(11, 2)
