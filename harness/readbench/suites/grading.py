"""Grading: each question's own verifier says whether a free text answers it."""

from collections.abc import Iterable, Mapping
from typing import Any

from readbench.api import Question, Verifier
from readbench.base.errors import ConfigError, near_match
from readbench.base.plugins import foreign, make_verifier, registry

RIGHT = 1.0  # the score of a right answer
# a sandbox must be asked for, and texts that keep to instructions need no one right answer
WITHOUT_ANSWER = ("code", "instruction")


class Grader:
    """The verifiers of a suite's questions, each made once; it remembers its verdicts, since trials of a seed share most answers."""

    def __init__(self, params: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`params`: parameters by the verifier's name."""
        self._params = params or {}
        self._verifiers: dict[str, Verifier] = {}
        self._scores: dict[tuple[Question, str], float] = {}

    def prepare(self, questions: Iterable[Question]) -> None:
        """Makes the verifiers that the questions need; ConfigError if one is unknown or cannot be had."""
        for question in {question.verifier: question for question in questions}.values():
            self._asked(question, "")

    def score(self, question: Question, answer: str) -> float:
        """The answer's score in [0, 1]; ConfigError for an unknown verifier, a reference of another form, or a score out of bounds."""
        key = (question, answer)
        if key not in self._scores:
            self._scores[key] = self._asked(question, answer)
        return self._scores[key]

    def right(self, question: Question, answer: str) -> bool:
        """Whether the answer is right, as a whole."""
        return self.score(question, answer) >= RIGHT

    def _asked(self, question: Question, answer: str) -> float:
        name = question.verifier
        with foreign("verifier", name, ConfigError):
            if name not in self._verifiers:
                check_verifier(name)
                self._verifiers[name] = make_verifier(name, **self._params.get(name, {}))
            score = float(self._verifiers[name].score(question, answer))
        if not 0 <= score <= 1:
            raise ConfigError(f"verifier {name!r} gave the score {score}", hint="a score is between 0 and 1")
        return score


def check_answer(question: Question, grader: Grader, where: str) -> None:
    """ConfigError if the question's own answer is wrong by its verifier, or the verifier cannot read its reference."""
    if question.verifier in WITHOUT_ANSWER:
        return
    try:
        right = grader.right(question, question.answer)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
    if not right:
        raise ConfigError(f"{where}: its own answer is wrong by verifier {question.verifier!r}", hint="correct the answer or the reference")


def check_verifier(name: object, where: str = "") -> None:
    """ConfigError, with the near match, if there is no verifier of that name."""
    verifiers = registry().plugins("verifier")
    if name not in verifiers:
        raise ConfigError(f"{where}unknown verifier {name!r}", hint=near_match(str(name), verifiers))
