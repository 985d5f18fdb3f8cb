"""``regex``: the final answer, or the whole text, matches the pattern that is the reference."""

import regex

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import bounded, final_answer, reference_of

_SECONDS = 0.25  # of a match; a pattern that backtracks without end matches nothing


class Regex:
    """Matches whole texts, in bounded time."""

    def score(self, question: Question, answer: str) -> float:
        """1 if the pattern matches the whole final answer or the whole text; 0 if not, or if that takes too long."""
        try:
            pattern = regex.compile(reference_of(question), regex.DOTALL)
        except (regex.error, OverflowError, RecursionError, ValueError) as error:
            raise ConfigError(f"verifier regex needs a pattern as the right answer: {error} in {reference_of(question)!r:.60}") from None
        return float(any(_matches(pattern, text) for text in (final_answer(answer), bounded(answer).strip())))


def _matches(pattern: "regex.Pattern[str]", text: str) -> bool:
    try:
        return pattern.fullmatch(text, timeout=_SECONDS) is not None
    except TimeoutError:
        return False


@verifier("regex")
def regex_verifier() -> Verifier:
    """The final answer, or the whole text, matches the reference, a regular expression."""
    return Regex()
