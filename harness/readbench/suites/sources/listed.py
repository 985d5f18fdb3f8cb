"""Questions that stand in a list, and the lines of a file as questions."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from readbench.api import DIFFICULTIES, Difficulty, Question
from readbench.base.documents import check_values, read_json_lines
from readbench.base.errors import ConfigError
from readbench.suites.grading import Grader, check_answer, check_verifier

NEEDED: tuple[str, ...] = ("prompt", "answer")
TEXTS: tuple[str, ...] = (*NEEDED, "verifier", "reference", "key")  # of a question in a file
FEWEST = 3


class Listed:
    """A list of questions; difficulty = mean of the control factors, min-max normalised over the list, in tertiles."""

    def __init__(self, questions: Sequence[Question], factors: Sequence[Mapping[str, float]], where: str) -> None:
        """`factors` are the questions' own, all of the same names; ConfigError for fewer than three questions."""
        if len(questions) < FEWEST:
            raise ConfigError(f"{where} has {len(questions)} questions", hint="give at least a few hundred: they are split four ways")
        names = sorted(factors[0])
        if any(sorted(f) != names for f in factors):
            raise ConfigError(f"{where}: every record must have the same factors ({', '.join(names)})")
        values = np.array([[f[name] for name in names] for f in factors], dtype=np.float64)  # (n, factors)
        spread = np.ptp(values, axis=0)
        difficulty = ((values - values.min(axis=0)) / np.where(spread > 0, spread, 1)).mean(axis=1)
        order = np.argsort(difficulty, kind="stable")
        self._where = where
        self._questions = tuple(questions)
        self._levels = [level.tolist() for level in np.array_split(order, len(DIFFICULTIES))]

    def __str__(self) -> str:
        """The file or dataset."""
        return self._where

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question from that tertile of the list."""
        index: int = rng.choice(self._levels[difficulty])
        return self._questions[index]


def read_list(path: Path) -> Listed:
    """The questions of a file of JSON lines."""
    records = read_json_lines(path)
    questions = [read_question(record, f"{path}, record {number}") for number, record in enumerate(records, start=1)]
    grader = Grader()
    for number, question in enumerate(questions, start=1):
        check_answer(question, grader, f"{path}, record {number}")
    return Listed(questions, [_factors(record, f"{path}, record {n}") for n, record in enumerate(records, start=1)], str(path))


def read_question(record: dict[str, Any], where: str) -> Question:
    """The question of a line; ConfigError for an unknown key or verifier and for a text that is missing, empty or not encodable."""
    unknown = set(record) - {*TEXTS, "factors"}
    if unknown:
        raise ConfigError(f"{where}: unknown key {min(unknown)!r}", hint=f"known: {', '.join(TEXTS)}, factors")
    texts: dict[str, Any] = {key: record.get(key) for key in TEXTS if key in record or key in NEEDED}
    for key, text in texts.items():
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{where}: {key!r} must be a text that is not empty")
        check_values(text, f"{where}: {key}")
    if "verifier" in texts:
        check_verifier(texts["verifier"], f"{where}: ")
    return Question(**texts)


def lengths(question: Question) -> dict[str, float]:
    """The factors of a question that has none of its own, in characters."""
    return {"prompt": len(question.prompt), "answer": len(question.answer)}


def _factors(record: dict[str, Any], where: str) -> dict[str, float]:
    factors = record.get("factors", {key: len(record[key]) for key in NEEDED})
    if not isinstance(factors, dict) or not factors or not all(type(value) in (int, float) for value in factors.values()):
        raise ConfigError(f"{where}: factors must be a mapping of names to finite numbers")
    check_values(factors, f"{where}: factors")
    return factors
