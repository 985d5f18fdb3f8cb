"""Following instructions about form: a word is to be written in capitals, in brackets, twice, with a mark.

Difficulty: the number of instructions that must be obeyed at once, 1 to 3.
"""

import random

from readbench.api import Difficulty, Question, source
from readbench_suites.lab.words import random_word

OPERATIONS = ("caps", "twice", "box", "loud")


def written(word: str, operations: tuple[str, ...]) -> str:
    """The word as the operations want it; their order in the prompt does not matter: dog → [DOG!][DOG!]."""
    if "caps" in operations:
        word = word.upper()
    if "loud" in operations:
        word += "!"
    if "box" in operations:
        word = f"[{word}]"
    return word + word if "twice" in operations else word


class Steerability:
    """Words in the form that is asked for."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A random word and `difficulty` + 1 instructions."""
        word = random_word(rng)
        operations = tuple(rng.sample(OPERATIONS, difficulty + 1))
        key = f"form {word} {' '.join(sorted(operations))}"
        return Question(prompt=f"{' '.join(operations)}: {word}", answer=written(word, operations), key=key)


@source("lab.steerability")
def steerability() -> Steerability:
    """Obeying one to three instructions about the form of the answer."""
    return Steerability()
