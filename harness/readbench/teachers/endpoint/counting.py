"""Counts tokens on this side of the wire, with the teacher's tokenizer where it is named, else with the student's.

What an endpoint reports is a claim. The other count cannot be had without its tokenizer: name it (``params.openai.tokenizer``)
and counts are in the teacher's tokens. Without it they are in the student's, whose budget they are charged to: a student
with smaller pieces counts more than the teacher generated (and cuts sooner), never less than it is going to read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from readbench.base.errors import ConfigError
from readbench.base.hashing import file_hash
from readbench.models.folder import load_tokenizer, resolve_tokenizer


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """One tokenizer's two directions."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]

    def count(self, text: str) -> int:
        """Tokens of the text alone: nothing is added at its ends."""
        return len(self.encode(text))

    def cut(self, text: str, most: int) -> str | None:
        """The first `most` tokens where the text has more; None where it fits."""
        ids = self.encode(text)
        return self.decode(ids[:most]) if len(ids) > most else None


def open_counter(folder: Path) -> TokenCounter:
    """The counter of a model folder; ConfigError where its tokenizer cannot be read."""
    file = folder / "tokenizer.json"
    if not file.is_file():  # a slow one
        slow = load_tokenizer(folder)
        return TokenCounter(lambda text: list(slow.encode(text, add_special_tokens=False)), lambda ids: str(slow.decode(ids)))
    try:
        fast = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise ConfigError(f"{file} cannot be read: {error}", hint="save the tokenizer again") from error
    return TokenCounter(lambda text: list(fast.encode(text, add_special_tokens=False).ids), fast.decode)


def tokenizer_hash(reference: str) -> str:
    """The hash of a named tokenizer's file: counts depend on it."""
    file = resolve_tokenizer(reference) / "tokenizer.json"
    if not file.is_file():
        raise ConfigError(f"params.openai.tokenizer: {reference} has no tokenizer.json", hint="name a folder or hub id that has one")
    return file_hash(file)
