"""A trial's record: one SQLite file, one commit an interval, the only truth about the trial.

An interval is committed with everything needed to resume after it: first the student's checkpoint is published under its
content hash, then one transaction adds the interval, its examples and the states of allocator, scheduler, ledger and
prompts. A checkpoint that no committed row names is garbage and is collected. The lock file keeps a second writer out; if
it was deleted, or does not work, the epoch in the trial's row does: every owner increments it, and an owner that finds
another epoch than its own commits nothing more.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readbench.base.errors import DamagedError, SurroundingError
from readbench.base.files import (
    database_errors,
    file_hashes,
    locked,
    make_folder,
    open_database,
    publish,
    publish_folder,
    read_published,
    remove,
    remove_staging,
    transaction,
)
from readbench.trials.environments.base import EnvironmentState, ExampleRow
from readbench.trials.record.trial_file import (
    AGAIN,
    SCHEMA,
    SCHEMA_VERSION,
    digest_of,
    first_digest,
    interval_digest,
    is_blank,
    refuse_traces,
    verified,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialState(EnvironmentState):
    """Everything needed to resume after an interval: the environment's state and the allocator's."""

    interval: int
    allocator: bytes


class TrialStore:
    """The trial's folder, held by one writer at a time, which may commit from another thread than it reads from."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._trial_id = folder.name
        self._epoch = connection.execute("SELECT epoch FROM trial").fetchone()[0]

    @classmethod
    @contextmanager
    def open(cls, folder: Path, trial_id: str, spec: Mapping[str, Any]) -> "Iterator[TrialStore]":
        """Opens or makes the record of a trial, in a folder of its name; SurroundingError if another process holds it."""
        path = folder / "trial.sqlite"
        make_folder(folder)
        with locked(folder / "lock", f"trial {trial_id}"):
            remove_staging(folder)
            with database_errors(path), closing(open_database(path)) as connection:
                if is_blank(connection):
                    refuse_traces(folder)
                    _make(connection, trial_id, _json(spec))
                verified(connection, path)
                with transaction(connection):
                    connection.execute("UPDATE trial SET epoch = epoch + 1")
                    _seal(connection)
                yield cls(folder, connection)

    @contextmanager
    def _commit(self) -> Iterator[None]:
        """A transaction of the trial's one owner, closed with the digest of the file's new content."""
        with transaction(self._connection):
            if self._connection.execute("SELECT epoch FROM trial").fetchone()[0] != self._epoch:
                raise SurroundingError(f"trial {self._trial_id} was taken over by another process", hint="leave the lock files alone")
            yield
            _seal(self._connection)

    def status(self) -> str:
        """incomplete, complete or failed."""
        status: str = self._connection.execute("SELECT status FROM trial").fetchone()[0]
        return status

    def retry(self) -> None:
        """Lets a failed trial resume from its last committed interval."""
        with self._commit():
            self._connection.execute("UPDATE trial SET status = 'incomplete', failure = NULL")

    def begin(self, start: Mapping[str, Any]) -> None:
        """Notes what was measured before the first interval."""
        with self._commit():
            self._connection.execute("UPDATE trial SET start = ?", (_json(start),))

    def start(self) -> dict[str, Any] | None:
        """What `begin` noted."""
        (text,) = self._connection.execute("SELECT start FROM trial").fetchone()
        return None if text is None else json.loads(text)

    def commit_interval(
        self, record: Mapping[str, Any], seconds: Mapping[str, float], examples: Sequence[ExampleRow], state: TrialState
    ) -> None:
        """Commits an interval: publishes its checkpoint, then adds its rows."""
        checkpoints = self.folder / "checkpoints"
        make_folder(checkpoints)
        name = publish(checkpoints, state.checkpoint, ".safetensors")
        interval = state.interval
        row = (
            interval,
            state.allocator,
            state.scheduler,
            state.ledger,
            _json(state.prompts),
            _json(state.probe_scores),
            name,
        )
        with self._commit():
            texts, state_digest = (interval, _json(record), _json(seconds)), digest_of(*row)
            digest = interval_digest(_last_digest(self._connection), *texts, state_digest, list(examples))
            self._connection.execute("INSERT INTO intervals VALUES (?, ?, ?, ?, ?)", (*texts, state_digest, digest))
            self._connection.executemany("INSERT INTO examples VALUES (?, ?, ?, ?, ?, ?)", ((interval, *example) for example in examples))
            self._connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", row)
        _collect_garbage(self.folder, keep=name)

    def state(self) -> TrialState | None:
        """The state after the last committed interval; DamagedError if it does not match what was committed."""
        last = self._connection.execute("SELECT state FROM intervals ORDER BY interval DESC LIMIT 1").fetchone()
        if last is None:
            return None
        row = self._connection.execute(
            "SELECT interval, allocator, scheduler, ledger, prompts, probe_scores, checkpoint FROM state"
        ).fetchone()
        if row is None or digest_of(*row) != last[0]:
            raise DamagedError(f"{self.folder / 'trial.sqlite'} is damaged: its state does not match its digest", hint=AGAIN)
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

    def finish(self, final: Mapping[str, Any], save_student: Callable[[Path], None]) -> None:
        """Completes the trial: first publishes its student, then commits its end with the student's hashes."""
        publish_folder(self.folder / "student", save_student)
        hashes = file_hashes(self.folder / "student")
        with self._commit():
            self._connection.execute("UPDATE trial SET status = 'complete', final = ?", (_json({**final, "student": hashes}),))
            self._connection.execute("DELETE FROM state")
        remove_checkpoints(self.folder)

    def fail(self, reason: str) -> None:
        """Marks the trial as failed: it cannot continue; keeps the reason."""
        with self._commit():
            self._connection.execute("UPDATE trial SET status = 'failed', failure = ?", (reason,))


def remove_checkpoints(folder: Path) -> None:
    """Removes the checkpoints of a complete trial; a process may have been killed before it did this."""
    remove(folder / "checkpoints")


def _collect_garbage(folder: Path, *, keep: str) -> None:
    for file in (folder / "checkpoints").iterdir():
        if file.name != keep:
            remove(file)


def _make(connection: sqlite3.Connection, trial_id: str, spec: str) -> None:
    with transaction(connection):
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("INSERT INTO trial (id, spec, status, epoch) VALUES (?, ?, 'incomplete', 0)", (trial_id, spec))
        _seal(connection)


def _seal(connection: sqlite3.Connection) -> None:
    """Renews the digest of the trial's row."""
    row = connection.execute("SELECT id, spec, status, failure, start, final, epoch FROM trial").fetchone()
    connection.execute("UPDATE trial SET digest = ?", (digest_of(*row, _last_digest(connection)),))


def _last_digest(connection: sqlite3.Connection) -> bytes:
    """The digest of the last interval, or the start of the chain."""
    row = connection.execute("SELECT digest FROM intervals ORDER BY interval DESC LIMIT 1").fetchone()
    return row[0] if row is not None else first_digest(*connection.execute("SELECT id, spec FROM trial").fetchone())


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
