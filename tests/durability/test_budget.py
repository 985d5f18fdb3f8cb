"""P9: the budget is never passed. Random histories of both ledgers, crashes included, and bugs planted in them that must be found."""

import dataclasses
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from readbench._core import BudgetExceeded, Ledger
from readbench.base.errors import DamagedError
from readbench.teachers.endpoint.faults import SpendLimitError
from readbench.teachers.spend.ledger import FILE, SpendLedger, prepare_ledger
from readbench.teachers.spend.prices import Limit

STEPS = 50
SETTINGS = settings(max_examples=200, stateful_step_count=STEPS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FINDING = settings(SETTINGS, phases=[Phase.generate], print_blob=False)  # a bug is found, not shrunk
tokens = st.integers(0, 12)


class ExperimentMachine(RuleBasedStateMachine):
    """The experiment ledger against plain sums; a crash keeps what its bytes say."""

    make: Callable[[int, int], Any] = Ledger
    restore: Callable[[bytes], Any] = Ledger.from_bytes

    @initialize(budget=st.integers(1, 40))
    def begin(self, budget: int) -> None:
        self.budget, self.charged = budget, 0
        self.ledger = type(self).make(budget, 2)

    @rule(capability=st.integers(0, 1), generated=tokens, trained=tokens, scored=tokens, rollout=tokens)
    def example(self, capability: int, generated: int, trained: int, scored: int, rollout: int) -> None:
        fits = self.charged + generated + trained + scored + rollout <= self.budget
        try:
            self.ledger.charge_example(
                capability, generated_tokens=generated, trained_tokens=trained, scored_tokens=scored, rollout_tokens=rollout
            )
        except BudgetExceeded:
            assert not fits
        else:
            assert fits, "a charge passed the budget"
            self.charged += generated + trained + scored + rollout

    @rule()
    def crash(self) -> None:
        self.ledger = type(self).restore(self.ledger.to_bytes())

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            assert self.ledger.spent_tokens == self.charged <= self.budget
            assert self.ledger.spent_tokens + self.ledger.remaining_tokens == self.budget


class SpendMachine(RuleBasedStateMachine):
    """The spend ledger against an account of what the endpoint may really have charged: at most a request's cap, known or not."""

    make: Callable[..., Any] = SpendLedger

    @initialize(limit=st.integers(1, 40))
    def begin(self, limit: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.limit, self.real, self.known = limit, 0, {}
        prepare_ledger(Path(self.folder.name))
        self.open()

    def open(self) -> None:
        self.ledger = type(self).make(Path(self.folder.name) / FILE, limit=dataclasses.replace(Limit(), tokens=self.limit))

    @rule(prompt=st.sampled_from([b"a", b"b"]), prompt_tokens=st.integers(1, 8), completion_tokens=st.integers(0, 8))
    def reserve(self, prompt: bytes, prompt_tokens: int, completion_tokens: int) -> None:
        try:
            request = self.ledger.reserve(prompt, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        except SpendLimitError:
            assert self.real + prompt_tokens + completion_tokens > self.limit, "a request that fits was refused"
        else:
            self.real += prompt_tokens + completion_tokens  # the worst, until it is known better
            self.known[request] = (prompt_tokens, completion_tokens)

    def take(self, data: st.DataObject) -> tuple[int, tuple[int, int]]:
        request = data.draw(st.sampled_from(sorted(self.known)))
        return request, self.known.pop(request)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """The endpoint may report anything, also more than was agreed; what it did is at most the cap."""
        request, cap = self.take(data)
        reported = (data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20)))
        self.ledger.settle(request, prompt_tokens=reported[0], completion_tokens=reported[1])
        self.real -= sum(cap) - sum(map(min, reported, cap))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def doubt(self, data: st.DataObject) -> None:
        self.ledger.doubt(self.take(data)[0])

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        request, cap = self.take(data)
        self.ledger.refuse(request)
        self.real -= sum(cap)

    @rule()
    def crash(self) -> None:
        """What was under way stays in doubt: nothing of it is known any more."""
        self.ledger.close()
        self.known = {}
        self.open()

    @rule()
    def check(self) -> None:
        spent = self.ledger.spent().tokens
        assert self.real <= self.limit, "more may have been spent than the limit"
        assert spent == self.real, "the ledger does not say what may have been spent"

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            try:
                self.check()
            finally:
                self.ledger.close()
                self.folder.cleanup()


@pytest.mark.parametrize("machine", [ExperimentMachine, SpendMachine])
def test_ten_thousand_steps_never_pass_the_budget(machine: type[RuleBasedStateMachine]) -> None:
    few = machine is SpendMachine  # each of its steps is on disk
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=20 if few else 200))


@pytest.mark.slow
def test_ten_thousand_steps_of_the_spend_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    run_state_machine_as_test(SpendMachine, settings=SETTINGS)
    with capsys.disabled():
        print(f"\nspend ledger: {SETTINGS.max_examples * STEPS} steps, 0 overspends")


class OffByOne(Ledger):
    """Lets a charge pass the budget by one token, which its copy does not count."""

    def charge_example(self, capability: int, *, trained_tokens: int, **others: int) -> None:  # type: ignore[override]
        over = trained_tokens + sum(others.values()) - self.remaining_tokens == 1
        super().charge_example(capability, trained_tokens=trained_tokens - (over and trained_tokens > 0), **others)  # type: ignore[misc]


class HalfAnExample(Ledger):
    """Charges what was generated of an example that does not fit."""

    def charge_example(self, capability: int, *, generated_tokens: int, **others: int) -> None:  # type: ignore[override]
        super().charge_example(capability, generated_tokens=generated_tokens, trained_tokens=0)
        super().charge_example(capability, generated_tokens=0, **others)  # type: ignore[misc]


class LargerCostAlone(Ledger):
    """Charges the largest of an example's costs, and not their sum."""

    def charge_example(self, capability: int, **costs: int) -> None:  # type: ignore[override]
        super().charge_example(capability, generated_tokens=0, trained_tokens=max(costs.values()))


class ForgetsRollouts(Ledger):
    """Charges all but what the student wrote itself."""

    def charge_example(self, capability: int, *, rollout_tokens: int = 0, **others: int) -> None:  # type: ignore[override]
        fits = rollout_tokens + sum(others.values()) <= self.remaining_tokens
        super().charge_example(capability, **others, rollout_tokens=0 if fits else rollout_tokens)  # type: ignore[misc]


@pytest.mark.parametrize("bug", [OffByOne, HalfAnExample, LargerCostAlone, ForgetsRollouts])
def test_a_bug_planted_in_the_experiment_ledger_is_found(bug: type[Ledger]) -> None:
    class Planted(ExperimentMachine):
        make = bug

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Planted, settings=FINDING)


def change(ledger: SpendLedger, statement: str, *values: Any) -> None:
    with ledger._open() as connection:
        connection.execute(statement, values)


class DuplicateKey(SpendLedger):
    """A second request of a prompt overwrites the first."""

    def reserve(self, prompt: bytes, *, prompt_tokens: int, completion_tokens: int) -> int:
        request = super().reserve(prompt, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        change(self, "DELETE FROM requests WHERE prompt = ? AND id < ? AND state != 'reserved'", prompt, request)
        return request


class OnlySettledCounted(SpendLedger):
    """What is under way costs nothing."""

    def reserve(self, prompt: bytes, *, prompt_tokens: int, completion_tokens: int) -> int:
        request = super().reserve(prompt, prompt_tokens=0, completion_tokens=0)
        change(self, "UPDATE requests SET cap_prompt = ?, cap_completion = ? WHERE id = ?", prompt_tokens, completion_tokens, request)
        return request


class UsageTrusted(SpendLedger):
    """An endpoint that reports more than was agreed is believed."""

    def settle(self, request: int, *, prompt_tokens: int, completion_tokens: int) -> None:
        change(self, "UPDATE requests SET cap_prompt = cap_prompt + ?, cap_completion = cap_completion + ? WHERE id = ?", 20, 20, request)
        super().settle(request, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


class RefundOnCrash(SpendLedger):
    """What was under way when the process died is given back."""

    def close(self) -> None:
        change(self, "UPDATE requests SET prompt_tokens = 0, completion_tokens = 0 WHERE state = 'reserved'")
        super().close()


class LimitOffByOne(SpendLedger):
    """One token more than the limit."""

    def __init__(self, path: Path, *, limit: Limit) -> None:
        super().__init__(path, limit=dataclasses.replace(limit, tokens=(limit.tokens or 0) + 1))


@pytest.mark.parametrize("bug", [DuplicateKey, OnlySettledCounted, UsageTrusted, RefundOnCrash, LimitOffByOne])
def test_a_bug_planted_in_the_spend_ledger_is_found(bug: type[SpendLedger]) -> None:
    class Planted(SpendMachine):
        make = bug

    with pytest.raises((AssertionError, DamagedError)):  # the ledger finds some of them itself: its totals are no sum of its requests
        run_state_machine_as_test(Planted, settings=FINDING)


def test_the_spend_ledger_s_rows_cannot_pass_their_caps(tmp_path: Path) -> None:
    prepare_ledger(tmp_path)
    ledger = SpendLedger(tmp_path / FILE, limit=Limit())
    request = ledger.reserve(b"a", prompt_tokens=3, completion_tokens=4)
    with pytest.raises(sqlite3.IntegrityError):
        change(ledger, "UPDATE requests SET prompt_tokens = 4 WHERE id = ?", request)
    ledger.close()
