"""Reading programs: what does this one print? Every program adds two numbers, as `lab.math` does.

Difficulty: easy, one assignment and numbers below 50; medium, two assignments; hard, two assignments and numbers up to 99,
with carries into the hundreds.
"""

import random

from readbench.api import Difficulty, Question, source


class Code:
    """Short programs over integers."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A program that prints the sum of two numbers."""
        first, second = rng.sample("abcxyz", 2)
        base, step = (rng.randint(50, 99), rng.randint(10, 99)) if difficulty == 2 else (rng.randint(10, 49), rng.randint(10, 49))
        if difficulty == 2 and rng.random() < 0.5:
            base, step = step, base
        program = f"{first}={base};print({first}+{step})" if difficulty == 0 else f"{first}={base};{second}={first}+{step};print({second})"
        return Question(prompt=program, answer=str(base + step), key=f"code {difficulty} {base} {step}")


@source("lab.code")
def code() -> Code:
    """What a program of one or two assignments prints."""
    return Code()
