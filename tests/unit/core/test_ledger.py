"""Ledger against its twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench._core import BudgetExceeded, Kind, Ledger
from support.numpy_twins import LedgerTwin

COUNTED = ("generated", "trained", "rollout", "scored")


@given(
    budget=st.integers(1, 300),
    num_capabilities=st.integers(1, 4),
    charges=st.lists(st.tuples(st.sampled_from([*Kind, None]), st.integers(0, 3), st.integers(0, 90), st.integers(0, 90)), max_size=40),
)
def test_any_charges_leave_the_accounts_of_the_twin(
    budget: int, num_capabilities: int, charges: list[tuple[Kind | None, int, int, int]]
) -> None:
    ledger, twin = Ledger(budget, num_capabilities), LedgerTwin(budget, num_capabilities)
    for kind, column, tokens, more in charges:
        capability = column % num_capabilities
        try:
            if kind is None:
                charge = [(Kind.generated, capability, tokens), (Kind.trained, capability, more)]
                ledger.charge_example(capability, generated_tokens=tokens, trained_tokens=more)
            else:
                charge = [(kind, capability, tokens)]
                ledger.charge(kind, capability, tokens)
        except BudgetExceeded:
            assert not twin.charge_all(charge)
        else:
            assert twin.charge_all(charge)
        np.testing.assert_array_equal(ledger.table(), twin.table)
        assert ledger.spent_tokens == twin.spent_tokens <= budget
        assert ledger.spent_tokens + ledger.remaining_tokens == budget
    assert ledger.by_capability().tolist() == [sum(column) for column in zip(*twin.table[:4], strict=True)]
    assert ledger.by_kind() == {kind.name: sum(twin.table[kind]) for kind in Kind}
    assert sum(ledger.by_kind()[name] for name in COUNTED) == ledger.spent_tokens
    assert all(ledger.total(kind) == sum(twin.table[kind]) for kind in Kind)
    restored = Ledger.from_bytes(ledger.to_bytes())
    assert restored == ledger
    assert restored.to_bytes() == ledger.to_bytes()


def test_overhead_is_recorded_but_costs_nothing() -> None:
    ledger = Ledger(1, 2)
    ledger.charge(Kind.probe, 0, 2**62)
    ledger.charge(Kind.eval, 1, 5)
    assert (ledger.spent_tokens, ledger.remaining_tokens, ledger.total(Kind.eval)) == (0, 1, 5)
    with pytest.raises(BudgetExceeded, match="passes the limit"):
        ledger.charge(Kind.eval, 0, 2**62)
    assert ledger.table().dtype == np.int64
    assert ledger.table().shape == (len(Kind), 2)


@pytest.mark.parametrize("flip", [0, 3, 20, -1])
def test_damaged_bytes_are_refused(flip: int) -> None:
    ledger = Ledger(100, 2)
    ledger.charge(Kind.trained, 1, 42)
    damaged = bytearray(ledger.to_bytes())
    damaged[flip] ^= 1
    for state in (bytes(damaged), ledger.to_bytes()[:-1], b""):
        with pytest.raises(ValueError, match="ledger state"):
            Ledger.from_bytes(state)


def test_bad_arguments_are_value_errors() -> None:
    ledger = Ledger(10, 2)
    for capability, tokens in ((2, 1), (-1, 1), (0, -1)):
        with pytest.raises(ValueError, match=r"capability|tokens"):
            ledger.charge(Kind.trained, capability, tokens)
    for budget, num_capabilities in ((0, 1), (-5, 1), (1, 0), (1, 5000)):
        with pytest.raises(ValueError, match=r"budget_tokens|num_capabilities"):
            Ledger(budget, num_capabilities)
    with pytest.raises(TypeError):
        ledger.charge(Kind.trained, 0, 1.5)  # type: ignore[arg-type]
    assert ledger == Ledger(10, 2)
    assert ledger != Ledger(11, 2)
