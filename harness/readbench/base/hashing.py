"""Content hashes: one algorithm (blake2b) and one function for each shape of content.

A ``..._digest`` is raw bytes, a ``..._hash`` the same in hex digits; `size` is in bytes. Trial ids, seeds, cache keys and
file digests come from here, so a one-bit change orphans every run on disk.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_SIZE = 16  # bytes: 128 bits
_CHUNK_BYTES = 1 << 20


def content_digest(content: bytes, *, size: int = _SIZE) -> bytes:
    """The digest of some bytes."""
    return hashlib.blake2b(content, digest_size=size).digest()


def content_hash(content: bytes, *, size: int = _SIZE) -> str:
    """The digest of some bytes as hex digits."""
    return content_digest(content, size=size).hex()


def json_hash(document: Any, *, size: int = _SIZE) -> str:
    """The hash of a JSON value; the order of an object's keys does not matter."""
    return content_hash(json.dumps(document, sort_keys=True).encode(), size=size)


def parts_digest(parts: Iterable[bytes], *, prefix_bytes: int, size: int = _SIZE) -> bytes:
    """The digest of several parts, each after its length (little-endian), so that ("a", "bc") and ("ab", "c") differ."""
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        digest.update(len(part).to_bytes(prefix_bytes, "little") + part)
    return digest.digest()


def file_hash(path: Path) -> str:
    """The hash of a file's content, read in chunks, so that a model's weights need not fit into memory."""
    digest = hashlib.blake2b(digest_size=_SIZE)
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def named_hash(contents: Iterable[tuple[str, bytes | Path]]) -> str:
    """The hash of named contents in the given order, names included; a path means the file's content."""
    digest = hashlib.blake2b(digest_size=_SIZE)
    for name, content in contents:
        length = content.stat().st_size if isinstance(content, Path) else len(content)
        digest.update(f"{name}\0{length}\0".encode())
        for chunk in _chunks(content) if isinstance(content, Path) else (content,):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
