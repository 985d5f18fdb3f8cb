"""What a trial has committed, in a place that every node of a cluster reaches: a shared folder, or a URL (``s3://bucket/folder``).

A trial works in a folder of its node, since SQLite's locks are not to be trusted on a network file system. After each commit its files
are stored under their content hashes, and then a *head* names them: whoever takes the trial over reads all of the last commit
or all of the one before. A trial may run twice at once, where a node that was taken for dead is alive: an attempt that takes a trial over
leaves its mark, an earlier one finds it before its next commit and stops, and no attempt touches the files of another. A trial is a
function of its spec, so a head that the earlier one wrote last is a commit of the same trial all the same.
"""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from readbench.base import files
from readbench.base.errors import DamagedError, SurroundingError
from readbench.base.hashing import file_hash

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SIGN = "sign"  # a file that the driver writes, and every node must see
SHARED = "give --storage a folder or a URL that the driver and all nodes share"
_HEAD, _MARK = "head.json", "mark"
_LOCAL = ("lock", "trial.sqlite-journal")  # of the process that has the trial
_OBJECT = re.compile("[0-9a-f]{16}/[0-9a-f]{32}")  # an attempt's mark, and a hash
_CHUNK_BYTES = 1 << 22


class Storage(Protocol):
    """Files by name (``trials/0123/head.json``), each replaced in one step. SurroundingError where the place does not answer."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file."""

    def put(self, file: Path, name: str) -> None:
        """Stores a copy of a local file."""

    def get(self, name: str, file: Path) -> None:
        """Makes a local copy; DamagedError if there is no such file."""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing if there is none."""

    def remove(self, name: str) -> None:
        """Removes a file or a folder if it exists."""


def open_storage(place: str) -> Storage:
    """A folder's, or a URL's by pyarrow; SurroundingError if nobody knows such a URL."""
    if "://" not in place:
        return Folder(Path(place))
    from pyarrow.fs import FileSystem

    try:
        system, base = FileSystem.from_uri(place)
    except (OSError, ValueError) as error:
        raise SurroundingError(f"storage {place} cannot be used: {error}", hint="give a shared folder, s3://, gs:// or hdfs://") from error
    return Remote(system, base)


class Folder:
    """A folder that all nodes see."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        with _answering(self._base / name):
            try:
                return (self._base / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """See `Storage`."""
        files.make_folder((self._base / name).parent)
        files.write_bytes(self._base / name, content)

    def put(self, file: Path, name: str) -> None:
        """See `Storage`."""
        files.make_folder((self._base / name).parent)
        files.copy(file, self._base / name)

    def get(self, name: str, file: Path) -> None:
        """See `Storage`."""
        if not (self._base / name).is_file():
            raise DamagedError(f"{self._base / name} is missing", hint="delete the trial's folder in the storage: it is run again")
        files.copy(self._base / name, file)

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        with _answering(self._base / folder):
            place = self._base / folder
            return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def remove(self, name: str) -> None:
        """See `Storage`."""
        files.remove(self._base / name)


class Remote:
    """A file system that pyarrow reaches; an object store replaces an object in one step."""

    def __init__(self, system: "FileSystem", base: str) -> None:
        self._system = system
        self._base = base

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}".rstrip("/")

    def _exists(self, name: str) -> bool:
        return bool(self._system.get_file_info(self._path(name)).is_file)

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        with _answering(self._path(name)):
            if not self._exists(name):
                return None
            with self._system.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())

    def write(self, name: str, content: bytes) -> None:
        """See `Storage`."""
        with _answering(self._path(name)):
            self._system.create_dir(self._path(name).rpartition("/")[0])
            with self._system.open_output_stream(self._path(name)) as stream:
                stream.write(content)

    def put(self, file: Path, name: str) -> None:
        """See `Storage`."""
        with _answering(self._path(name)), file.open("rb") as source:
            self._system.create_dir(self._path(name).rpartition("/")[0])
            with self._system.open_output_stream(self._path(name)) as stream:
                while chunk := source.read(_CHUNK_BYTES):
                    stream.write(chunk)

    def get(self, name: str, file: Path) -> None:
        """See `Storage`."""
        with _answering(self._path(name)):
            if not self._exists(name):
                raise DamagedError(f"{self._path(name)} is missing", hint="delete the trial's folder in the storage: it is run again")
            with self._system.open_input_stream(self._path(name)) as stream:
                files.write_chunks(file, iter(lambda: stream.read(_CHUNK_BYTES), b""))

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        from pyarrow.fs import FileSelector

        with _answering(self._path(folder)):
            found = self._system.get_file_info(FileSelector(self._path(folder), allow_not_found=True))
            return sorted(info.base_name for info in found)

    def remove(self, name: str) -> None:
        """See `Storage`."""
        with _answering(self._path(name)):
            info = self._system.get_file_info(self._path(name))
            if info.is_file:
                self._system.delete_file(self._path(name))
            elif self.names(name):
                self._system.delete_dir(self._path(name))


@contextmanager
def _answering(place: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SurroundingError(f"storage {place} does not answer: {error}", hint="see that every node can reach it, then resume") from error


class TakenOver(Exception):
    """Another attempt has the trial now."""


class Attempt:
    """One process's attempt at a trial: its folder here, and what of it is in the storage under `name`."""

    def __init__(self, storage: Storage, name: str, folder: Path) -> None:
        self._storage, self._name, self._folder = storage, name, folder
        self._mark = secrets.token_hex(8)
        self._stored: dict[str, str] = {}  # hash → object, of this attempt

    def mark(self) -> None:
        """Says that the trial is this attempt's now."""
        self._storage.write(f"{self._name}/{_MARK}", self._mark.encode())

    def take_over(self) -> None:
        """Marks the trial, and fetches what an earlier attempt has committed."""
        self.mark()
        fetch(self._storage, self._name, self._folder)

    def publish(self) -> None:
        """Stores what the folder holds, which nobody writes to meanwhile; TakenOver if the trial is another attempt's now."""
        found = {path.relative_to(self._folder).as_posix(): path for path in sorted(self._folder.rglob("*")) if path.is_file()}
        hashes = {name: file_hash(path) for name, path in found.items() if name not in _LOCAL and not files.is_staging(path)}
        if self._storage.read(f"{self._name}/{_MARK}") != self._mark.encode():
            raise TakenOver(self._name)
        for name, digest in hashes.items():
            if digest not in self._stored:
                self._storage.put(found[name], f"{self._name}/{self._mark}/{digest}")
                self._stored[digest] = f"{self._mark}/{digest}"
        head = files.sealed({"files": {name: self._stored[digest] for name, digest in hashes.items()}})
        self._storage.write(f"{self._name}/{_HEAD}", files.dump_json(head))
        for digest in self._stored.keys() - set(hashes.values()):
            self._storage.remove(f"{self._name}/{self._stored.pop(digest)}")


def fetch(storage: Storage, name: str, folder: Path) -> bool:
    """Replaces a local folder by what was committed under `name`; False if nothing was."""
    content = storage.read(f"{name}/{_HEAD}")
    if content is None:
        return False
    head = _head(content, f"{name}/{_HEAD}")

    def fill(staging: Path) -> None:
        for file, place in head.items():
            files.make_folder((staging / file).parent)
            storage.get(f"{name}/{place}", staging / file)
            if file_hash(staging / file) != place.rpartition("/")[2]:
                raise DamagedError(f"{name}/{place} in the storage is damaged: its content does not match its name")

    files.make_folder(folder.parent)
    files.publish_folder(folder, fill)
    return True


def _head(content: bytes, name: str) -> dict[str, str]:
    """The files that a head names."""
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{name} in the storage is damaged: {error}") from error
    found: dict[str, str] = files.unsealed(document if isinstance(document, dict) else {}, Path(name))["files"]
    for file, place in found.items():
        if Path(file).is_absolute() or ".." in Path(file).parts or not _OBJECT.fullmatch(place):
            raise DamagedError(f"{name} in the storage is damaged: it names {file!r:.80}, which is no file of a trial")
    return found
