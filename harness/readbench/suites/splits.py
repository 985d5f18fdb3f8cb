"""Which split a question belongs to (teach, probe, dev or test): a hash of the problem decides, so splits never overlap.

The unit is the problem, not its text: a source gives 7+5 and 5+7 one key, so that both fall into one split. If the
capability *is* recall, the key is the phrasing of a fact, and the same fact may be taught in another phrasing.
"""

import random
import re
import unicodedata
from collections.abc import Collection
from typing import Literal

from readbench.api import DIFFICULTIES, Difficulty, Question, Source
from readbench.base.errors import ConfigError
from readbench.base.hashing import content_digest

LEVELS: tuple[Difficulty, ...] = (0, 1, 2)  # easy, medium, hard
Split = Literal["teach", "probe", "dev", "test"]
_UPPER_PERCENT: tuple[tuple[int, Split], ...] = ((60, "teach"), (72, "probe"), (80, "dev"), (100, "test"))
_MAX_DRAWS = 1000  # a split holds at least 8 % of all problems, so 1000 misses in a row mean that a source has none left


def normalise(text: str) -> str:
    """NFKC, case folded, white space collapsed; prompts with equal results count as the same."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def split_of(question: Question) -> Split:
    """The split of the question's problem: 60 % teach, 12 % probe, 8 % dev, 20 % test."""
    identity = question.key or normalise(question.prompt)
    percent = int.from_bytes(content_digest(identity.encode(), size=8), "little") % 100
    return next(split for upper, split in _UPPER_PERCENT if percent < upper)


def sample_from(source: Source, split: Split, rng: random.Random, difficulty: Difficulty, taken: Collection[str] = ()) -> Question:
    """A question of that split whose normalised prompt is not in `taken`; ConfigError if the source has none left."""
    for _ in range(_MAX_DRAWS):
        question = source.sample(rng, difficulty)
        if split_of(question) == split and normalise(question.prompt) not in taken:
            return question
    raise ConfigError(
        f"source {source} has no more {split} questions that are {DIFFICULTIES[difficulty]} ({len(taken)} are taken)",
        hint="give it more problems or ask for fewer",
    )
