"""``choice``: the letter of a multiple-choice question."""

import re
import unicodedata

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import final_answer, reference_of

_STATED = re.compile(  # (B), B), option b, choice: B
    r"\(\s*([A-Za-z])\s*\)|\b(?:option|choice|letter)\b\s*(?:is\b|:)?\s*\(?\s*([A-Za-z])\b|(?<![\w'])([A-Za-z])\)", re.IGNORECASE
)
_LEADING = re.compile(r"\W*([A-Z])(?:[.:,]|\s*$|\s+[-–—(])")  # B. because of ...; B
_ALONE = re.compile(r"(?<![\w'’-])([A-Z])(?![\w'’-])")
_PRONOUN = "I"


class Choice:
    """Reads the letter that the final answer states."""

    def score(self, question: Question, answer: str) -> float:
        """1 if the text names the reference's letter, and no other, as its answer; else 0."""
        reference = reference_of(question).strip().strip("().").upper()
        if len(reference) != 1 or not "A" <= reference <= "Z":
            raise ConfigError(f"verifier choice needs a letter as the right answer, not {reference_of(question)!r:.40}")
        return float(_letter(unicodedata.normalize("NFKC", final_answer(answer))) == reference)


def _letter(text: str) -> str | None:
    """The one letter that the text states; None if there is none, or more than one."""
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}", r"\1", text)
    if len(text.strip(" .'\"")) == 1:
        return text.strip(" .'\"").upper()
    leading = _LEADING.match(text)
    if leading:
        return leading[1]
    stated = {next(filter(None, found)).upper() for found in _STATED.findall(text)}
    alone = stated or {letter for letter in _ALONE.findall(text) if letter != _PRONOUN}
    return alone.pop() if len(alone) == 1 else None


@verifier("choice")
def choice() -> Verifier:
    """The final answer names the reference's letter and no other: (B), B., option b."""
    return Choice()
