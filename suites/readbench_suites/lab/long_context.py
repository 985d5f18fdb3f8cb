"""Recall from a list: what stood first, second or last?

Difficulty: the length of the list: four, seven or ten letters.
"""

import random

from readbench.api import Difficulty, Question, source
from readbench_suites.lab.words import CONSONANTS

LENGTHS = (4, 7, 10)
PLACES = {"first": 0, "second": 1, "last": -1}


class LongContext:
    """Lists and places in them."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """Distinct letters, one of which is asked by its place."""
        letters = rng.sample(CONSONANTS, LENGTHS[difficulty])
        asked = rng.choice(tuple(PLACES))
        return Question(prompt=f"{' '.join(letters)} {asked}", answer=letters[PLACES[asked]])


@source("lab.long_context")
def long_context() -> LongContext:
    """What stood at a place of a list of four, seven or ten."""
    return LongContext()
