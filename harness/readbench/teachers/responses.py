"""The cache of teacher responses and scores: one SQLite file that all workers and trials of a run share.

Content-addressed: a response's key is a digest of the teacher's fingerprint, the limit of new tokens and the prompt. What
was stored first stays: two workers that ask at once get the same answer even from a teacher that answers differently each
time. Every row carries a digest of what it says under which key: a response that is no longer what was stored is not used.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from readbench.api import Response, Scored, Vector
from readbench.base.errors import DamagedError
from readbench.base.files import database_errors, open_database, transaction
from readbench.base.hashing import content_digest, parts_digest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    key BLOB PRIMARY KEY, text TEXT NOT NULL, tokens INTEGER NOT NULL CHECK (tokens >= 0), finished INTEGER NOT NULL, digest BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""
_SCORES = """
CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, logprobs BLOB NOT NULL, digest BLOB NOT NULL) STRICT, WITHOUT ROWID
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
                query = f"SELECT key, text, tokens, finished, digest FROM responses WHERE key IN ({marks})"  # noqa: S608 — only question marks
                for key, text, tokens, finished, digest in connection.execute(query, part):
                    response = Response(text=text, tokens=tokens, finished=bool(finished))
                    if digest != _digest(key, response):
                        raise sqlite3.DatabaseError("a response does not match its digest")
                    found[prompt_of[key]] = response
        return found

    def put(self, teacher: str, responses: Mapping[str, Response], *, max_new_tokens: int) -> dict[str, Response]:
        """Stores responses by prompt; returns what the cache now holds for them."""
        keyed = [(_key(teacher, prompt, max_new_tokens), response) for prompt, response in responses.items()]
        rows = [(key, response.text, response.tokens, response.finished, _digest(key, response)) for key, response in keyed]
        with self._open() as connection:
            before = connection.total_changes
            with transaction(connection):
                connection.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?)", rows)
            if connection.total_changes - before == len(rows):  # nobody was first
                return dict(responses)
        return self.get(teacher, list(responses), max_new_tokens=max_new_tokens)

    def get_scores(self, teacher: str, sequences: Sequence[Scored], k: int = 0) -> dict[Scored, Vector]:
        """The stored log-probabilities by sequence; with k, matrices as `readbench.api.ScoringTeacher.top` has them."""
        found: dict[Scored, Vector] = {}
        with self._open() as connection:
            for sequence in dict.fromkeys(sequences):
                key = _score_key(teacher, sequence, k)
                for content, digest in connection.execute("SELECT logprobs, digest FROM scores WHERE key = ?", (key,)):
                    if digest != content_digest(key + content):
                        raise sqlite3.DatabaseError("log-probabilities do not match their digest")
                    values = np.frombuffer(content, dtype=np.float64)
                    found[sequence] = values.reshape(-1, 2 * k + 1) if k else values
        return found

    def put_scores(self, teacher: str, scores: Mapping[Scored, Vector], k: int = 0) -> None:
        """Stores log-probabilities by sequence; what was stored first stays."""
        keyed = [(_score_key(teacher, sequence, k), np.asarray(values, dtype=np.float64).tobytes()) for sequence, values in scores.items()]
        with self._open() as connection, transaction(connection):
            rows = [(key, content, content_digest(key + content)) for key, content in keyed]
            connection.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with database_errors(self._path):
                if self._connection is None:
                    self._connection = _connect(self._path)
                yield self._connection
        except DamagedError as error:
            raise DamagedError(error.message, hint="delete it; the teacher will be asked again") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = open_database(path, busy_seconds=_BUSY_SECONDS)
    try:
        connection.execute(_SCHEMA)
        connection.execute(_SCORES)
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection


def _key(teacher: str, prompt: str, max_new_tokens: int) -> bytes:
    parts = (teacher, str(max_new_tokens), prompt)
    return parts_digest((part.encode("utf-8", "surrogatepass") for part in parts), prefix_bytes=8)


def _score_key(teacher: str, sequence: Scored, k: int) -> bytes:
    tokens, prompt_length = sequence
    asked = f"{prompt_length} top {k}" if k else str(prompt_length)
    parts = (teacher.encode("utf-8"), asked.encode(), np.array(tokens, dtype=np.int64).tobytes())
    return parts_digest(parts, prefix_bytes=8)


def _digest(key: bytes, response: Response) -> bytes:
    return content_digest(key + f"{response.tokens} {response.finished} {response.text}".encode("utf-8", "surrogatepass"))
