"""Addition. a+b and b+a are one problem.

Difficulty: easy, one digit and two; medium, two digits and two with a sum below 100; hard, two digits and two with carries
into the hundreds.
"""

import random

from readbench.api import Difficulty, Question, source

RANGES = (((1, 9), (10, 90)), ((10, 49), (10, 49)), ((50, 99), (10, 99)))


class Math:
    """Sums of two numbers."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A sum with its terms in either order."""
        terms = [rng.randint(low, high) for low, high in RANGES[difficulty]]
        rng.shuffle(terms)
        a, b = terms
        return Question(prompt=f"{a}+{b}", answer=str(a + b), key=f"{min(terms)}+{max(terms)}")


@source("lab.math")
def math() -> Math:
    """Addition of numbers with one or two digits."""
    return Math()
