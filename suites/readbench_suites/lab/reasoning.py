"""Order and amounts: who is the largest, and how many does one have who has more than another.

Difficulty: easy, two in order, rising or falling; medium, three; hard, a comparison with numbers, which needs the addition of
`lab.math`.
"""

import random

from readbench.api import Difficulty, Question, source
from readbench_suites.lab.words import NAMES

LARGEST, SMALLEST = ("max", "top"), ("min", "low")


class Reasoning:
    """Comparisons, in order or counted."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """Two or three people, named by letters."""
        asked = rng.choice(LARGEST + SMALLEST)
        if difficulty < 2:
            falling = rng.sample(NAMES, difficulty + 2)
            claim = rng.choice((">".join(falling), "<".join(reversed(falling))))
            answer = falling[0] if asked in LARGEST else falling[-1]
            return Question(prompt=f"{claim} {asked}?", answer=answer, key=f"order {''.join(falling)} {answer}")
        less, more = rng.sample(NAMES, 2)
        base, extra = rng.randint(10, 49), rng.randint(10, 49)
        key = f"more {min(base, extra)} {max(base, extra)}"
        return Question(prompt=f"{less} has {base}, {more} {extra} more. {more}?", answer=str(base + extra), key=key)


@source("lab.reasoning")
def reasoning() -> Reasoning:
    """Comparisons: of two, of three, or one that counts."""
    return Reasoning()
