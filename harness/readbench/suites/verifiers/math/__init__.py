r"""``math``: the final answer is the same mathematics as the reference: ``\frac{\sqrt{8}}{4}`` answers ``\frac{1}{\sqrt{2}}``.

Source: https://github.com/huggingface/Math-Verify, which reads LaTeX into sympy and compares. readbench gives it LaTeX only: what it
takes for plain expressions would be evaluated as Python.
"""

import re

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import final_answer, reference_of

_LONGEST = 2_000  # characters of a final answer
_DELIMITED = re.compile(r"(?<!\\)\$|\\\(|\\\[")


class Math:
    """Compares by computer algebra, in another process, in bounded time and memory."""

    def __init__(self, *, seconds: int) -> None:
        self._seconds = seconds

    def score(self, question: Question, answer: str) -> float:
        """1 if both are the same, else 0 (also where that is not found within the time); ConfigError for a reference that is no LaTeX."""
        from readbench.suites.verifiers.math.solver import equal  # late: the other verifiers need no processes

        reference = reference_of(question)
        found = equal(_delimited(reference), _delimited(final_answer(answer, latex=True)), seconds=self._seconds)
        if found is None:
            raise ConfigError(f"verifier math needs LaTeX as the right answer, such as \\frac{{1}}{{2}}, not {reference!r:.60}")
        return float(found)


def _delimited(text: str) -> str:
    """The text as math-verify looks for LaTeX in it: between dollars, unless something in it is."""
    text = text.strip().rstrip(".")
    return text[-_LONGEST:] if _DELIMITED.search(text) else f"${text[:_LONGEST]}$"


@verifier("math")
def math(*, seconds: int = 5) -> Verifier:
    """The final answer is the same mathematics as the reference, a number or an expression in LaTeX, by math-verify."""
    if seconds < 1:
        raise ConfigError("verifier math needs seconds of 1 or more")
    return Math(seconds=seconds)
