"""The spend ledger: its sum never passes the limit, whoever dies when."""

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from readbench.base.errors import DamagedError
from readbench.runs.executors.cluster.hub import RemoteLedger
from readbench.teachers.endpoint.faults import SpendLimitError
from readbench.teachers.spend.ledger import FILE, SpendLedger, Spent, prepare_ledger, read_spent
from readbench.teachers.spend.prices import Limit


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    prepare_ledger(tmp_path)
    return tmp_path


def opened(run_dir: Path, tokens: int | None = None) -> SpendLedger:
    return SpendLedger(run_dir / FILE, limit=Limit(tokens=tokens))


def test_a_request_is_charged_its_cap_until_it_is_settled(run_dir: Path) -> None:
    ledger = opened(run_dir)
    request = ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    assert (ledger.spent().tokens, ledger.spent().in_doubt) == (38, 1)
    ledger.settle(request, prompt_tokens=9, completion_tokens=2)
    spent = ledger.spent()
    assert (spent.prompt_tokens, spent.completion_tokens, spent.in_doubt) == (9, 2, 0)
    ledger.close()


def test_doubt_stays_at_the_cap_and_a_refusal_is_free(run_dir: Path) -> None:
    ledger = opened(run_dir)
    ledger.doubt(ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8))
    ledger.refuse(ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8))
    spent = ledger.spent()
    assert (spent.requests, spent.in_doubt, spent.tokens) == (2, 1, 38)
    ledger.close()


def test_nothing_is_charged_above_its_cap(run_dir: Path) -> None:
    ledger = opened(run_dir)
    ledger.settle(ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8), prompt_tokens=10**9, completion_tokens=10**9)
    assert ledger.spent().tokens == 38
    ledger.close()


def test_a_booking_that_is_repeated_is_one(run_dir: Path) -> None:
    """Who books for others may die after a line is on disk and before it has said so."""
    ledger = opened(run_dir)
    for _ in range(2):
        assert ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8, request=7) == 7
    assert (ledger.spent().requests, ledger.spent().tokens) == (1, 38)
    for _ in range(2):
        assert ledger.settle(7, prompt_tokens=9, completion_tokens=10**9) == 7
    assert (ledger.spent().tokens, ledger.spent().in_doubt) == (17, 0)
    for other in (lambda: ledger.settle(7, prompt_tokens=8, completion_tokens=8), lambda: ledger.refuse(7), lambda: ledger.doubt(8)):
        with pytest.raises(AssertionError, match="is not under way"):
            other()
    ledger.close()


def test_a_cluster_s_task_books_once_where_its_call_comes_twice(run_dir: Path) -> None:
    ledger = opened(run_dir)
    remote = RemoteLedger(lambda method, *given, **named: [getattr(ledger, method)(*given, **named) for _ in range(2)][1])
    requests = [remote.reserve(b"p", prompt_tokens=30, completion_tokens=8) for _ in range(3)]
    remote.settle(requests[0], prompt_tokens=9, completion_tokens=2)
    remote.doubt(requests[1])
    remote.refuse(requests[2])
    assert ledger.spent() == Spent(requests=3, in_doubt=1, prompt_tokens=39, completion_tokens=10)
    ledger.close()


def test_a_reservation_that_could_pass_the_limit_is_refused_in_one_line(run_dir: Path) -> None:
    ledger = opened(run_dir, tokens=75)
    ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    with pytest.raises(SpendLimitError, match="75 tokens has no room for a request of up to 38 tokens: 38 are charged") as raised:
        ledger.reserve(b"q", prompt_tokens=30, completion_tokens=8)
    assert raised.value.exit_code == 4
    assert "--spend-limit" in raised.value.hint
    assert ledger.spent().requests == 1
    ledger.close()


def test_what_a_dead_process_had_reserved_counts_for_ever(run_dir: Path) -> None:
    ledger = opened(run_dir, tokens=75)
    ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    ledger.close()
    later = opened(run_dir, tokens=75)
    with pytest.raises(SpendLimitError):
        later.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    later.close()


def test_a_request_is_closed_once(run_dir: Path) -> None:
    ledger = opened(run_dir)
    request = ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    ledger.doubt(request)
    with pytest.raises(AssertionError):
        ledger.refuse(request)
    ledger.close()


def test_a_lost_ledger_of_a_run_that_has_begun_stops_it(run_dir: Path) -> None:
    (run_dir / "trials").mkdir()
    (run_dir / FILE).unlink()
    prepare_ledger(run_dir)
    with pytest.raises(DamagedError, match="what the run has spent is not known"):
        opened(run_dir).reserve(b"p", prompt_tokens=1, completion_tokens=1)
    assert read_spent(run_dir) is None


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough to be looked at" * 100], ids=["emptied", "overwritten"])
def test_a_damaged_ledger_is_named_and_not_believed(run_dir: Path, damage: bytes) -> None:
    (run_dir / FILE).write_bytes(damage)
    with pytest.raises(DamagedError, match=r"spend\.sqlite is damaged"):
        opened(run_dir).spent()


@pytest.mark.parametrize("change", ["UPDATE totals SET prompt_tokens = 1", "DELETE FROM requests", "DELETE FROM totals"])
def test_totals_that_are_not_the_sum_of_the_requests_are_not_believed(run_dir: Path, change: str) -> None:
    ledger = opened(run_dir)
    ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    ledger.close()
    connection = sqlite3.connect(run_dir / FILE)
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(DamagedError, match="its totals are not the sum of its requests"):
        opened(run_dir).spent()


def test_a_charge_edited_above_its_cap_is_impossible(run_dir: Path) -> None:
    ledger = opened(run_dir)
    ledger.reserve(b"p", prompt_tokens=30, completion_tokens=8)
    ledger.close()
    connection = sqlite3.connect(run_dir / FILE)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE requests SET prompt_tokens = 31")
    connection.close()


RACER = """
import sys
from pathlib import Path
from readbench.teachers.endpoint.faults import SpendLimitError
from readbench.teachers.spend.prices import Limit
from readbench.teachers.spend.ledger import SpendLedger

ledger = SpendLedger(Path(sys.argv[1]), limit=Limit(tokens=1000))
try:
    while True:
        ledger.reserve(b"p", prompt_tokens=30, completion_tokens=7)
except SpendLimitError:
    print("full")
"""


def test_processes_that_race_do_not_pass_the_limit(run_dir: Path) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", RACER, run_dir / FILE], stdout=subprocess.PIPE) for _ in range(2)]
    assert [racer.communicate()[0].strip() for racer in racers] == [b"full", b"full"]
    spent = read_spent(run_dir)
    assert spent is not None
    assert spent.tokens == 1000 // 37 * 37


class Ledger(RuleBasedStateMachine):
    """Any order of reservations, answers, losses and restarts against a sum kept by hand."""

    LIMIT = 300

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)  # noqa: S108 - quick commits
        self.run_dir = Path(self.folder.name)
        prepare_ledger(self.run_dir)
        self.ledger = opened(self.run_dir, self.LIMIT)
        self.under_way: dict[int, tuple[int, int]] = {}
        self.charged = 0

    @rule(prompt=st.integers(0, 80), completion=st.integers(0, 80))
    def reserve(self, prompt: int, completion: int) -> None:
        fits = self.charged + prompt + completion <= self.LIMIT
        try:
            request = self.ledger.reserve(b"p", prompt_tokens=prompt, completion_tokens=completion)
        except SpendLimitError:
            assert not fits
            return
        assert fits
        self.under_way[request] = (prompt, completion)
        self.charged += prompt + completion

    @rule(data=st.data(), prompt=st.integers(0, 200), completion=st.integers(0, 200))
    def settle(self, data: st.DataObject, prompt: int, completion: int) -> None:
        if self.under_way:
            request = data.draw(st.sampled_from(sorted(self.under_way)))
            caps = self.under_way.pop(request)
            self.ledger.settle(request, prompt_tokens=prompt, completion_tokens=completion)
            self.charged += min(prompt, caps[0]) + min(completion, caps[1]) - sum(caps)

    @rule(data=st.data(), free=st.booleans())
    def lose(self, data: st.DataObject, free: bool) -> None:
        if self.under_way:
            request = data.draw(st.sampled_from(sorted(self.under_way)))
            caps = self.under_way.pop(request)
            (self.ledger.refuse if free else self.ledger.doubt)(request)
            self.charged -= sum(caps) if free else 0

    @rule()
    def die(self) -> None:
        self.ledger.close()
        self.under_way.clear()
        self.ledger = opened(self.run_dir, self.LIMIT)

    @invariant()
    def the_sum_is_right_and_below_the_limit(self) -> None:
        assert self.ledger.spent().tokens == self.charged <= self.LIMIT

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=20)
