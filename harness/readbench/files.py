"""Every file that readbench writes besides its SQLite databases goes through here, and is on disk when the call returns.

Write to a staging name, flush, fsync, rename, fsync the folder: a reader sees the old content or the new one, whole,
and after a power cut what was acknowledged is there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from readbench.errors import ConfigError, SurroundingError


def sync(path: Path) -> None:
    """Flushes a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file's content in one step."""
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with staging.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
        sync(path.parent)
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise SurroundingError(f"cannot write {path}: {error.strerror}", hint="free some space or choose another --out") from error


def dump_json(document: Any) -> bytes:
    """Sorted keys, no NaN, a newline at the end: equal documents are equal bytes."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, document: Any) -> None:
    """Replaces a JSON file in one step."""
    write_bytes(path, dump_json(document))


def read_json(path: Path) -> Any:
    """A JSON file that readbench wrote; ConfigError that names it where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def publish(folder: Path, content: bytes, suffix: str) -> str:
    """Stores content under its own hash, once; returns the file's name."""
    name = hashlib.blake2b(content, digest_size=16).hexdigest() + suffix
    if not (folder / name).exists():
        write_bytes(folder / name, content)
    return name


def read_published(folder: Path, name: str) -> bytes:
    """The content of a published file; ConfigError where it is missing or no longer what its name says."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {folder / name}: {error.strerror}") from error
    if hashlib.blake2b(content, digest_size=16).hexdigest() != name.partition(".")[0]:
        raise ConfigError(f"{folder / name} is damaged: its content does not match its name")
    return content


def publish_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replaces a folder by what `fill` writes into a staging one."""
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        fill(staging)
        for file in staging.rglob("*"):
            sync(file)
        sync(staging)
        shutil.rmtree(path, ignore_errors=True)
        staging.rename(path)
        sync(path.parent)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise SurroundingError(f"cannot write {path}: {error.strerror}", hint="free some space or choose another --out") from error
