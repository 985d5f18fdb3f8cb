"""A model's tokenizer: how many tokens a text has, and which vocabulary it is.

Imports no torch, and transformers only for a slow tokenizer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from readbench.base.errors import ConfigError
from readbench.base.files import read_json
from readbench.base.hashing import json_hash
from readbench.models.folder import load_tokenizer, tokenizer_of


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
    file = tokenizer_of(folder) / "tokenizer.json"
    if not file.is_file():  # a slow tokenizer needs transformers, which takes seconds to import
        slow = load_tokenizer(folder)
        return TokenCounter(lambda text: list(slow.encode(text, add_special_tokens=False)), lambda ids: str(slow.decode(ids)))
    try:
        fast = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise ConfigError(f"{file} cannot be read: {error}", hint="save the tokenizer again") from error
    return TokenCounter(lambda text: list(fast.encode(text, add_special_tokens=False).ids), fast.decode)


_PROBE = "The 3 naïve cats\tpaid $4.50 — for 猫 & x_1=[a,b];\n"  # words, digits, signs and scripts that tokenizers cut differently


def vocabulary(folder: Path) -> str:
    """A hash of what a model's token ids mean: its entries, its merges, its added tokens, and how a probe text is cut.

    Two models with one hash can be compared token by token, however many unused rows their tables have.
    """
    file, probe = tokenizer_of(folder) / "tokenizer.json", open_counter(folder).encode(_PROBE)
    if not file.is_file():
        return json_hash([sorted(load_tokenizer(folder).get_vocab().items()), probe])
    described = read_json(file)
    model, added = described.get("model", {}), [(token["id"], token["content"]) for token in described.get("added_tokens", ())]
    return json_hash([{key: model.get(key) for key in ("type", "vocab", "merges")}, sorted(added), probe])
