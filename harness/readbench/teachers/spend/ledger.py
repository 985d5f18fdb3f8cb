"""The spend ledger: every request that leaves for a paid teacher, in one SQLite file that all workers of a run share.

A request is reserved at its cap before it leaves: the most prompt and completion tokens that it can come to. Settled, it is
charged what it came to, never more than its cap; in doubt (no answer, a broken one, a process that died meanwhile) it stays
charged at its cap for ever. So the sum over all rows never passes the limit, whatever is killed whenever. A request that
was refused before any work, or never left, is charged nothing.

The ledger can stop a run; it steers nothing (the experiment ledger is `readbench._core.Ledger`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from readbench.base.errors import DamagedError
from readbench.base.files import database_errors, open_database, transaction
from readbench.teachers.endpoint.faults import SpendLimitError
from readbench.teachers.spend.prices import Limit

FILE = "spend.sqlite"
SCHEMA_VERSION = 1
# Totals are kept beside the rows, since adding up 40,000 of them takes 20 ms; whoever opens the file checks that they agree.
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS requests (
        id INTEGER PRIMARY KEY,
        prompt BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'in_doubt', 'refused')),
        cap_prompt INTEGER NOT NULL CHECK (cap_prompt >= 0),
        cap_completion INTEGER NOT NULL CHECK (cap_completion >= 0),
        prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens BETWEEN 0 AND cap_prompt),
        completion_tokens INTEGER NOT NULL CHECK (completion_tokens BETWEEN 0 AND cap_completion)
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS totals (
        one INTEGER PRIMARY KEY CHECK (one = 1), requests INTEGER NOT NULL, in_doubt INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL
    ) STRICT
    """,
    "INSERT OR IGNORE INTO totals VALUES (1, 0, 0, 0, 0)",
    """
    CREATE TRIGGER IF NOT EXISTS reserved AFTER INSERT ON requests BEGIN
        UPDATE totals SET requests = requests + 1, in_doubt = in_doubt + 1,
            prompt_tokens = prompt_tokens + NEW.prompt_tokens, completion_tokens = completion_tokens + NEW.completion_tokens;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS closed AFTER UPDATE ON requests BEGIN
        UPDATE totals SET in_doubt = in_doubt - (NEW.state IN ('settled', 'refused')),
            prompt_tokens = prompt_tokens + NEW.prompt_tokens - OLD.prompt_tokens,
            completion_tokens = completion_tokens + NEW.completion_tokens - OLD.completion_tokens;
    END
    """,
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_TOTALS = "SELECT requests, in_doubt, prompt_tokens, completion_tokens FROM totals"
_ADDED_UP = (
    "SELECT COUNT(*), COALESCE(SUM(state IN ('reserved', 'in_doubt')), 0),"
    " COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0) FROM requests"
)
_BUSY_SECONDS = 60.0  # another worker's commit takes tens of milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a ledger holds, in tokens as charged."""

    requests: int
    in_doubt: int  # requests charged at their cap; those that are under way among them
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.completion_tokens


class SpendLedger:
    """The ledger of a run directory, opened on first use, so that it can be handed to another process."""

    def __init__(self, path: Path, *, limit: Limit) -> None:
        self._path = path
        self._limit = limit
        self._connection: sqlite3.Connection | None = None
        self._together = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """The block's bookings are one transaction: on disk at its end, or none of them."""
        with self._transaction():
            self._together = True
            try:
                yield
            finally:
                self._together = False

    def reserve(self, prompt: bytes, *, prompt_tokens: int, completion_tokens: int, request: int | None = None) -> int:
        """Books a request at its cap, before it leaves; its id. SpendLimitError where the limit could then be passed.

        With an id of the caller's the booking may be repeated: it is one.
        """
        with self._transaction() as connection:
            if request is not None and connection.execute("SELECT 1 FROM requests WHERE id = ?", (request,)).fetchone():
                return request
            spent = _spent(connection)
            if not self._limit.holds(spent.prompt_tokens + prompt_tokens, spent.completion_tokens + completion_tokens):
                raise SpendLimitError(
                    f"the spend limit of {self._limit} has no room for a request of up to {prompt_tokens + completion_tokens:,} tokens: "
                    f"{spent.tokens:,} are charged, {spent.in_doubt} of {spent.requests} requests at their cap",
                    hint=f"resume with a higher one: readbench resume {self._path.parent} --spend-limit N",
                )
            cursor = connection.execute(
                "INSERT INTO requests (id, prompt, state, cap_prompt, cap_completion, prompt_tokens, completion_tokens)"
                " VALUES (?, ?, 'reserved', ?, ?, ?, ?)",
                (request, prompt, prompt_tokens, completion_tokens, prompt_tokens, completion_tokens),
            )
            return int(cursor.lastrowid or 0)

    def settle(self, request: int, *, prompt_tokens: int, completion_tokens: int) -> int:
        """Charges what a request came to, at most its cap; its id."""
        return self._close(request, "settled", prompt_tokens, completion_tokens)

    def doubt(self, request: int) -> int:
        """The request may have been worked on: it stays at its cap; its id."""
        return self._close(request, "in_doubt", None, None)

    def refuse(self, request: int) -> int:
        """The request did no work: it is charged nothing; its id."""
        return self._close(request, "refused", 0, 0)

    def spent(self) -> Spent:
        """What is charged so far."""
        with self._open() as connection:
            return _spent(connection)

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close(self, request: int, state: str, *came_to: int | None) -> int:
        """Ends a request at what it came to, at most its cap (None: at it); to end it in the same way again is nothing."""
        with self._transaction() as connection:
            query = "SELECT state, cap_prompt, cap_completion, prompt_tokens, completion_tokens FROM requests WHERE id = ?"
            known, *numbers = connection.execute(query, (request,)).fetchone() or ("unknown", 0, 0, 0, 0)
            charged = [cap if tokens is None else min(cap, tokens) for cap, tokens in zip(numbers[:2], came_to, strict=True)]
            if known == "reserved":
                change = "UPDATE requests SET state = ?, prompt_tokens = ?, completion_tokens = ? WHERE id = ?"
                connection.execute(change, (state, *charged, request))
            elif (known, charged) != (state, numbers[2:]):
                raise AssertionError(f"request {request} is not under way")
        return request

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection, nullcontext() if self._together else transaction(connection):
            yield connection

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with _reported(self._path):
            if self._connection is None:
                self._connection = _connect(self._path)
            yield self._connection


def prepare_ledger(run_dir: Path) -> None:
    """Makes the ledger of a run in which no trial, and so no request, has begun; another run must have its own."""
    if (run_dir / "trials").exists():
        return
    path = run_dir / FILE
    with _reported(path):
        connection = open_database(path)
        try:
            with transaction(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
        finally:
            connection.close()


def read_spent(run_dir: Path) -> Spent | None:
    """What a run has spent; None where its teacher is not paid."""
    if not (run_dir / FILE).is_file():
        return None
    ledger = SpendLedger(run_dir / FILE, limit=Limit())
    try:
        return ledger.spent()
    finally:
        ledger.close()


def _spent(connection: sqlite3.Connection) -> Spent:
    requests, in_doubt, prompt_tokens, completion_tokens = connection.execute(_TOTALS).fetchone()
    return Spent(requests=requests, in_doubt=in_doubt, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


def _connect(path: Path) -> sqlite3.Connection:
    """Only a ledger that is there is opened: a lost one must not begin again at nothing."""
    if not path.is_file():
        raise DamagedError(f"{path} is missing: what the run has spent is not known", hint="restore it, or begin a new run")
    connection = open_database(path, busy_seconds=_BUSY_SECONDS, create=False)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        if version != SCHEMA_VERSION or sound != "ok":
            raise sqlite3.DatabaseError(f"schema {version}, not {SCHEMA_VERSION}" if sound == "ok" else sound)
        (agree,) = connection.execute(f"SELECT ({_TOTALS}) = ({_ADDED_UP})").fetchone()
        if not agree:
            raise sqlite3.DatabaseError("its totals are not the sum of its requests")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        with database_errors(path):
            yield
    except DamagedError as error:
        raise DamagedError(error.message, hint="restore it, or begin a new run") from error
