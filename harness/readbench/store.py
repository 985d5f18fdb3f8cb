"""A trial's record: one SQLite file, one commit an interval, the only truth about the trial.

An interval is committed with everything needed to go on after it: first the student's checkpoint is published under its
content hash, then one transaction adds the interval, its examples and the states of allocator, scheduler, ledger and
prompts. A checkpoint that no committed row names is garbage and is collected. Rollback journal, not WAL, whose reset bug
SQLite before 3.51.3 has; ``synchronous=EXTRA``, so that a commit is on disk when it returns.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readbench.errors import ConfigError, SurroundingError
from readbench.files import publish, read_published

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE trial (
    id TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('incomplete', 'complete', 'failed')),
    failure TEXT, start TEXT, final TEXT
) STRICT;
CREATE TABLE intervals (interval INTEGER PRIMARY KEY, record TEXT NOT NULL, seconds TEXT NOT NULL) STRICT;
CREATE TABLE examples (
    interval INTEGER NOT NULL, capability INTEGER NOT NULL, difficulty INTEGER NOT NULL, slot INTEGER NOT NULL,
    generated INTEGER NOT NULL CHECK (generated >= 0), trained INTEGER NOT NULL CHECK (trained > 0),
    PRIMARY KEY (capability, difficulty, slot)
) STRICT;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), interval INTEGER NOT NULL, allocator BLOB NOT NULL, scheduler BLOB NOT NULL,
    ledger BLOB NOT NULL, prompts TEXT NOT NULL, probe_scores TEXT NOT NULL, checkpoint TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialState:
    """Everything needed to go on after an interval."""

    interval: int
    allocator: bytes
    scheduler: bytes
    ledger: bytes
    prompts: Any  # JSON value
    probe_scores: list[list[float]]  # K lists: the score of each probe after the interval
    checkpoint: bytes  # the student's weights, moments and counters, as safetensors


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """What a trial has to tell, as read from its file."""

    spec: dict[str, Any]
    status: str
    failure: str | None
    start: dict[str, Any] | None
    final: dict[str, Any] | None
    intervals: list[dict[str, Any]]
    seconds: list[dict[str, float]]  # by interval


class TrialStore:
    """The trial's folder, held by one writer at a time, which may commit from another thread than it reads from."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, folder: Path, trial_id: str, spec: Mapping[str, Any]) -> "Iterator[TrialStore]":
        """Opens or makes the record of a trial; SurroundingError where another process holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        connection = None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SurroundingError(f"trial {trial_id} is running in another process", hint="wait for it or stop it") from error
            connection = _connect(folder / "trial.sqlite")
            with _transaction(connection):
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in _SCHEMA.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                    connection.execute("INSERT INTO trial (id, spec, status) VALUES (?, ?, 'incomplete')", (trial_id, _json(spec)))
            (stored,) = connection.execute("SELECT id FROM trial").fetchone()
            if stored != trial_id:
                raise ConfigError(f"{folder} holds trial {stored}, not {trial_id}")
            yield cls(folder, connection)
        except sqlite3.IntegrityError:
            raise  # a row that contradicts the schema is a bug, not the disk's fault
        except sqlite3.OperationalError as error:
            raise SurroundingError(
                f"cannot write {folder / 'trial.sqlite'}: {error}", hint="free some space or choose another --out"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{folder / 'trial.sqlite'} is damaged: {error}") from error
        finally:
            if connection is not None:
                connection.close()
            os.close(lock)

    def status(self) -> str:
        """incomplete, complete or failed."""
        status: str = self._connection.execute("SELECT status FROM trial").fetchone()[0]
        return status

    def retry(self) -> None:
        """A trial that had failed goes on from its last committed interval."""
        with _transaction(self._connection):
            self._connection.execute("UPDATE trial SET status = 'incomplete', failure = NULL")

    def begin(self, start: Mapping[str, Any], probe_scores: list[list[float]]) -> None:
        """Notes what was measured before the first interval."""
        with _transaction(self._connection):
            self._connection.execute("UPDATE trial SET start = ?", (_json({**start, "probe_scores": probe_scores}),))

    def start(self) -> dict[str, Any] | None:
        """What `begin` noted."""
        (text,) = self._connection.execute("SELECT start FROM trial").fetchone()
        return None if text is None else json.loads(text)

    def commit_interval(
        self, record: Mapping[str, Any], seconds: Mapping[str, float], examples: Sequence[tuple[int, int, int, int, int]], state: TrialState
    ) -> None:
        """Acknowledges an interval; `examples` are rows of (capability, difficulty, slot, generated, trained)."""
        checkpoints = self.folder / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        name = publish(checkpoints, state.checkpoint, ".safetensors")
        with _transaction(self._connection):
            self._connection.execute("INSERT INTO intervals VALUES (?, ?, ?)", (state.interval, _json(record), _json(seconds)))
            self._connection.executemany(
                "INSERT INTO examples VALUES (?, ?, ?, ?, ?, ?)", ((state.interval, *example) for example in examples)
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
                (
                    state.interval,
                    state.allocator,
                    state.scheduler,
                    state.ledger,
                    _json(state.prompts),
                    _json(state.probe_scores),
                    name,
                ),
            )
        self._collect_garbage(keep=name)

    def state(self) -> TrialState | None:
        """The state after the last committed interval."""
        row = self._connection.execute(
            "SELECT interval, allocator, scheduler, ledger, prompts, probe_scores, checkpoint FROM state"
        ).fetchone()
        if row is None:
            return None
        interval, allocator, scheduler, ledger, prompts, probe_scores, checkpoint = row
        return TrialState(
            interval=interval,
            allocator=allocator,
            scheduler=scheduler,
            ledger=ledger,
            prompts=json.loads(prompts),
            probe_scores=json.loads(probe_scores),
            checkpoint=read_published(self.folder / "checkpoints", checkpoint),
        )

    def intervals(self) -> list[dict[str, Any]]:
        """The committed intervals' records, in order."""
        return [json.loads(text) for (text,) in self._connection.execute("SELECT record FROM intervals ORDER BY interval")]

    def finish(self, final: Mapping[str, Any]) -> None:
        """The trial is complete; its checkpoint is not needed any more."""
        with _transaction(self._connection):
            self._connection.execute("UPDATE trial SET status = 'complete', final = ?", (_json(final),))
            self._connection.execute("DELETE FROM state")
        self._collect_garbage(keep=None)

    def fail(self, reason: str) -> None:
        """The trial cannot go on; the reason is kept."""
        with _transaction(self._connection):
            self._connection.execute("UPDATE trial SET status = 'failed', failure = ?", (reason,))

    def _collect_garbage(self, *, keep: str | None) -> None:
        checkpoints = self.folder / "checkpoints"
        if checkpoints.is_dir():
            for file in checkpoints.iterdir():
                if file.name != keep:
                    file.unlink()


def read_trial(folder: Path) -> TrialRecord:
    """A trial's record, read-only; ConfigError that names the file where it is missing, damaged or of another version."""
    path = folder / "trial.sqlite"
    if not path.is_file():
        raise ConfigError(f"{path} is missing", hint="resume the run")
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise ConfigError(f"{path} has schema {version}, this version of readbench reads {SCHEMA_VERSION}")
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise ConfigError(f"{path} is damaged")
        spec, status, failure, start, final = connection.execute("SELECT spec, status, failure, start, final FROM trial").fetchone()
        rows = connection.execute("SELECT record, seconds FROM intervals ORDER BY interval").fetchall()
    except (sqlite3.DatabaseError, TypeError) as error:
        raise ConfigError(f"{path} is damaged: {error}") from error
    finally:
        connection.close()
    return TrialRecord(
        spec=json.loads(spec),
        status=status,
        failure=failure,
        start=None if start is None else json.loads(start),
        final=None if final is None else json.loads(final),
        intervals=[json.loads(record) for record, _ in rows],
        seconds=[json.loads(seconds) for _, seconds in rows],
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
