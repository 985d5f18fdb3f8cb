"""The trial's file: its tables, the digests that bind them, and how it is read (see `readbench.trials.record.store` for how it is written).

SQLite's own check does not see a bit that flips inside a text. So every interval carries a digest of its row, its examples
and the interval before, beginning with the trial's id and spec; the trial's row carries one of itself and of the last
interval; the last interval binds the state row by its hash. Anything that does not match is damaged, and is never used.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readbench.base.errors import DamagedError
from readbench.base.files import database_errors, open_database
from readbench.base.hashing import content_digest
from readbench.trials.environments.base import ExampleRow

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE trial (
    id TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('incomplete', 'complete', 'failed')),
    failure TEXT, start TEXT, final TEXT, epoch INTEGER NOT NULL, digest BLOB
) STRICT;
CREATE TABLE intervals (
    interval INTEGER PRIMARY KEY, record TEXT NOT NULL, seconds TEXT NOT NULL, state BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE TABLE examples (
    interval INTEGER NOT NULL, capability INTEGER NOT NULL, difficulty INTEGER NOT NULL, slot INTEGER NOT NULL,
    generated INTEGER NOT NULL CHECK (generated >= 0), trained INTEGER NOT NULL CHECK (trained >= 0),
    PRIMARY KEY (capability, difficulty, slot)
) STRICT;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), interval INTEGER NOT NULL, allocator BLOB NOT NULL, scheduler BLOB NOT NULL,
    ledger BLOB NOT NULL, prompts TEXT NOT NULL, probe_scores TEXT NOT NULL, checkpoint TEXT NOT NULL
) STRICT;
"""
AGAIN = "restore it, or delete its folder: a resume runs the trial again"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial's record, as read from its file."""

    spec: dict[str, Any]
    status: str
    failure: str | None
    start: dict[str, Any] | None
    final: dict[str, Any] | None
    intervals: list[dict[str, Any]]
    seconds: list[dict[str, float]]  # by interval
    states: list[str]  # by interval: the hash of everything that the trial resumed from


def read_trial(folder: Path) -> TrialRecord:
    """A trial's record; DamagedError naming the file if it is missing, damaged, of another version or of another trial."""
    record = find_trial(folder)
    if record is None:
        raise DamagedError(f"{folder / 'trial.sqlite'} is missing", hint="resume the run")
    return record


def find_trial(folder: Path) -> TrialRecord | None:
    """As `read_trial`; None if the trial has not begun."""
    path = folder / "trial.sqlite"
    if not path.is_file():
        refuse_traces(folder)
        return None
    with database_errors(path), closing(open_database(path, create=False)) as connection:
        if is_blank(connection):
            refuse_traces(folder)
            return None
        return verified(connection, path)


def refuse_traces(folder: Path) -> None:
    """Raises DamagedError if the trial has left something else behind: then its missing or empty file is damage."""
    if (folder / "student").exists() or (folder / "checkpoints").exists():
        raise DamagedError(f"{folder / 'trial.sqlite'} is missing or empty", hint=AGAIN)


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the file has no tables: a process was killed before it made them."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def verified(connection: sqlite3.Connection, path: Path) -> TrialRecord:
    """The record, if everything in the file is what was written."""
    connection.execute("BEGIN")  # one state of the file, also while another process commits
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise DamagedError(f"{path} has schema {version}, this version of readbench reads {SCHEMA_VERSION}")
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        row = connection.execute("SELECT id, spec, status, failure, start, final, epoch, digest FROM trial").fetchone()
        intervals = connection.execute("SELECT interval, record, seconds, state, digest FROM intervals ORDER BY interval").fetchall()
        examples: dict[int, list[ExampleRow]] = {}
        for interval, *example in connection.execute("SELECT interval, capability, difficulty, slot, generated, trained FROM examples"):
            examples.setdefault(interval, []).append(tuple(example))
    except (sqlite3.OperationalError, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise  # the disk's fault
        raise DamagedError(f"{path} is damaged: {error}", hint=AGAIN) from error  # a table or column is missing, a text is not text
    finally:
        connection.execute("ROLLBACK")
    if not sound or row is None or not _matches(row, intervals, examples):
        raise DamagedError(f"{path} is damaged: its content does not match its digests", hint=AGAIN)
    trial_id, spec, status, failure, start, final, _, _ = row
    if trial_id != path.parent.name:
        raise DamagedError(f"{path} is of trial {trial_id}, not of {path.parent.name}", hint=AGAIN)
    return TrialRecord(
        spec=json.loads(spec),
        status=status,
        failure=failure,
        start=None if start is None else json.loads(start),
        final=None if final is None else json.loads(final),
        intervals=[json.loads(record) for _, record, _, _, _ in intervals],
        seconds=[json.loads(seconds) for _, _, seconds, _, _ in intervals],
        states=[state.hex() for _, _, _, state, _ in intervals],
    )


def _matches(row: tuple[Any, ...], intervals: list[tuple[Any, ...]], examples: dict[int, list[ExampleRow]]) -> bool:
    *trial, digest = row
    last = first_digest(*trial[:2])
    for number, (interval, record, seconds, state, found) in enumerate(intervals):
        last = interval_digest(last, interval, record, seconds, state, examples.pop(interval, []))
        if interval != number or found != last:
            return False
    return not examples and digest == digest_of(*trial, last)


def first_digest(trial_id: str, spec: str) -> bytes:
    """The start of the chain of the intervals' digests."""
    return digest_of(trial_id, spec)


def interval_digest(before: bytes, interval: int, record: str, seconds: str, state: bytes, examples: list[ExampleRow]) -> bytes:
    """An interval's digest, from that of the one before."""
    return digest_of(before, interval, record, seconds, state, *(number for example in sorted(examples) for number in example))


def digest_of(*values: str | int | bytes | None) -> bytes:
    """16 bytes of a row's values."""
    text = json.dumps([value.hex() if isinstance(value, bytes) else value for value in values])
    return content_digest(text.encode())
