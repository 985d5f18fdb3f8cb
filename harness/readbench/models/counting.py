"""Counts a text's tokens with a model's tokenizer. Imports no torch, and transformers only for a slow tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from readbench.base.errors import ConfigError
from readbench.models.folder import load_tokenizer


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """A tokenizer's encode and decode."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]

    def count(self, text: str) -> int:
        """Tokens of the text alone, with nothing added at its ends."""
        return len(self.encode(text))

    def cut(self, text: str, most: int) -> str | None:
        """The text of the first `most` tokens if there are more; None if it fits."""
        ids = self.encode(text)
        return self.decode(ids[:most]) if len(ids) > most else None


def open_counter(folder: Path) -> TokenCounter:
    """The counter for a model folder; ConfigError if its tokenizer cannot be read."""
    file = folder / "tokenizer.json"
    if not file.is_file():  # a slow tokenizer needs transformers, which takes seconds to import
        slow = load_tokenizer(folder)
        return TokenCounter(lambda text: list(slow.encode(text, add_special_tokens=False)), lambda ids: str(slow.decode(ids)))
    try:
        fast = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise ConfigError(f"{file} cannot be read: {error}", hint="save the tokenizer again") from error
    return TokenCounter(lambda text: list(fast.encode(text, add_special_tokens=False).ids), fast.decode)
