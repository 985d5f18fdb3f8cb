"""The only module that writes: files, folders, locks and SQLite databases. Data is on disk when a call returns.

A file: write to a staging name, flush, fsync, rename, fsync the folder. A reader sees all of the old content or all of the new.
A database: rollback journal (not WAL, which has a reset bug in SQLite before 3.51.3) and ``synchronous=EXTRA``. A JSON document
that others are computed from carries a digest of its content, so that a bit flipped on disk is found before it is used.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from readbench.base.errors import ConfigError, DamagedError, ReadbenchError, SurroundingError
from readbench.base.hashing import content_hash, file_hash, json_hash

_CHUNK_BYTES = 1 << 22
ROOM = "free some space or choose another --out"  # helps with most disk errors


def sync(path: Path) -> None:
    """Flushes a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Reports a full, failing or read-only disk in one line."""
    try:
        yield
    except OSError as error:
        raise SurroundingError(f"cannot write {path}: {error.strerror}", hint=ROOM) from error


def make_folder(path: Path) -> None:
    """Makes a folder and its missing parents."""
    with _writing(path):
        missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            sync(folder.parent)


def remove(path: Path) -> None:
    """Removes a file or folder if it exists. It may be back after a power cut."""
    with _writing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def is_staging(path: Path) -> bool:
    """Whether a killed process left this path half-written."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def remove_staging(folder: Path) -> None:
    """Removes what killed processes left half-written; only for the sole writer of a folder."""
    for path in folder.iterdir():
        if is_staging(path):
            remove(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file's content in one step."""
    write_chunks(path, (content,))


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """Replaces a file's content in one step by what may not fit into memory."""
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _writing(path):
        try:
            with staging.open("wb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            staging.replace(path)
            sync(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                staging.unlink(missing_ok=True)
            raise


def copy(source: Path, target: Path) -> None:
    """Replaces a file by a copy of another in one step."""
    with source.open("rb") as file:
        write_chunks(target, iter(lambda: file.read(_CHUNK_BYTES), b""))


def append_text(path: Path, text: str) -> None:
    """Appends to a file that another program made and reads (GitHub's job summary); OSError if that fails."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def open_folder(path: Path) -> None:
    """Makes the output folder before the work begins; SurroundingError if it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".readbench.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SurroundingError(f"cannot write to {path}: {error.strerror}", hint="give a folder that can be written to") from error


def dump_json(document: Any) -> bytes:
    """Sorted keys, no NaN, a final newline: equal documents give equal bytes."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, document: Any) -> None:
    """Replaces a JSON file in one step."""
    write_bytes(path, dump_json(document))


def read_json(path: Path) -> Any:
    """A JSON file that readbench wrote; ConfigError names it if it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a ``digest`` of its content."""
    return {**document, "digest": json_hash(document)}


def unsealed(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What `sealed` was given; DamagedError names the file if its content no longer matches the digest."""
    content = {key: value for key, value in document.items() if key != "digest"}
    if document.get("digest") != json_hash(content):
        raise DamagedError(f"{path} is damaged: its content does not match its digest")
    return content


def publish(folder: Path, content: bytes, suffix: str) -> str:
    """Stores content under its own hash, once; returns the file's name."""
    name = content_hash(content) + suffix
    if not (folder / name).exists():
        write_bytes(folder / name, content)
    return name


def read_published(folder: Path, name: str) -> bytes:
    """The content of a published file; DamagedError if it is missing or no longer matches its name."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise DamagedError(f"cannot read {folder / name}: {error.strerror}") from error
    if content_hash(content) != name.partition(".")[0]:
        raise DamagedError(f"{folder / name} is damaged: its content does not match its name")
    return content


def publish_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replaces a folder with what `fill` writes into a staging one; only for the sole writer of the folder."""
    staging = path.with_name(f".{path.name}.tmp")
    with _writing(path):
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            _fill(staging, fill)
            for file in staging.rglob("*"):
                sync(file)
            sync(staging)
            shutil.rmtree(path, ignore_errors=True)
            staging.rename(path)
            sync(path.parent)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def _fill(folder: Path, fill: Callable[[Path], None]) -> None:
    try:
        fill(folder)
    except (OSError, ReadbenchError):
        raise
    except Exception as error:  # tokenizers and safetensors raise their own errors for a full disk
        raise OSError(0, " ".join(str(error).split())) from error


def file_hashes(folder: Path) -> dict[str, str]:
    """The content hash of every file in a folder, by relative path."""
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds a lock file, one process at a time, until that process ends in any way; SurroundingError names the holder."""
    with _writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "of another user"
            raise SurroundingError(f"{what} is running in process {holder}", hint="wait for it or stop it") from error
        except OSError as error:
            raise SurroundingError(f"cannot lock {path}: {error.strerror}", hint="give a folder on a local disk") from error
        with _writing(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


class _Closing(sqlite3.Connection):
    """Closed when nobody holds it any more: a process keeps some to its end, and Python 3.13 warns of those that are left open."""

    def __del__(self) -> None:
        self.close()


def open_database(path: Path, *, busy_seconds: float = 30.0, create: bool = True) -> sqlite3.Connection:
    """A SQLite database in autocommit mode; several threads may use it, one at a time."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        isolation_level=None,
        timeout=busy_seconds,
        check_same_thread=False,
        factory=_Closing,
    )
    try:
        if create:
            connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """At the block's end all of its statements are on disk, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has already ended it
            connection.execute("ROLLBACK")
        raise


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours: a disk fault or a damaged file. A row that violates the schema is a bug and is raised unchanged."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.OperationalError as error:
        raise SurroundingError(f"cannot use {path}: {error}", hint=ROOM) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error
