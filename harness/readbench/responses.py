"""The cache of teacher responses: one SQLite file that all workers and trials of a run share.

Content-addressed: a response's key is the blake2b of the teacher's fingerprint, the limit of new tokens and the prompt. What
was stored first stays: two workers that ask at once get the same answer even from a teacher that answers differently each
time. Rollback journal and ``synchronous=EXTRA``, as in `readbench.store`: a stored response is on disk.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from readbench.api import Response
from readbench.errors import ConfigError, SurroundingError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    key BLOB PRIMARY KEY, text TEXT NOT NULL, tokens INTEGER NOT NULL CHECK (tokens >= 0), finished INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_BUSY_SECONDS = 60.0  # another worker's commit takes tens of milliseconds
_MOST_VARIABLES = 500  # of one SQL statement


class ResponseCache:
    """Responses by (teacher, limit, prompt). The file is opened on first use, so that a cache can be handed to another process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def get(self, teacher: str, prompts: Sequence[str], *, max_new_tokens: int) -> dict[str, Response]:
        """The stored responses by prompt."""
        prompt_of = {_key(teacher, prompt, max_new_tokens): prompt for prompt in prompts}
        keys = list(prompt_of)
        found: dict[str, Response] = {}
        with self._open() as connection:
            for start in range(0, len(keys), _MOST_VARIABLES):
                part = keys[start : start + _MOST_VARIABLES]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, text, tokens, finished FROM responses WHERE key IN ({marks})"  # noqa: S608 — only question marks
                for key, text, tokens, finished in connection.execute(query, part):
                    found[prompt_of[key]] = Response(text=text, tokens=tokens, finished=bool(finished))
        return found

    def put(self, teacher: str, responses: Mapping[str, Response], *, max_new_tokens: int) -> dict[str, Response]:
        """Stores responses by prompt; returns what the cache now holds for them."""
        rows = [
            (_key(teacher, prompt, max_new_tokens), response.text, response.tokens, response.finished)
            for prompt, response in responses.items()
        ]
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?)", rows)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        return self.get(teacher, list(responses), max_new_tokens=max_new_tokens)

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_SECONDS)
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute(_SCHEMA)
                self._connection = connection
            yield self._connection
        except sqlite3.IntegrityError:
            raise  # a response that contradicts the schema is a bug, not the disk's fault
        except sqlite3.OperationalError as error:
            raise SurroundingError(f"cannot use {self._path}: {error}", hint="free some space or choose another --out") from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{self._path} is damaged: {error}", hint="delete it; the teacher will be asked again") from error


def _key(teacher: str, prompt: str, max_new_tokens: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (teacher, str(max_new_tokens), prompt):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()
