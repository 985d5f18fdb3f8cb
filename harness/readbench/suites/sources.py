"""Sources: where a capability's questions come from: a plug-in, a file of the suite, or a dataset of reasoning-gym."""

import importlib.metadata
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from readbench.api import DIFFICULTIES, Difficulty, Question, Source
from readbench.base.documents import check_values, read_json_lines
from readbench.base.errors import ConfigError
from readbench.base.plugins import foreign, make
from readbench.suites.grading import check_verifier
from readbench.suites.verifiers.gym import UNSETTLED, level_settings, make_dataset

GYM = "gym:"  # what a source's name begins with, if it is a dataset of reasoning-gym
NEEDED: tuple[str, ...] = ("prompt", "answer")
TEXTS: tuple[str, ...] = (*NEEDED, "verifier", "reference")  # of a question in a file
_ASK = "\n\nWrite your final answer between <answer> and </answer>."


def open_source(name: str, levels: Sequence[Mapping[str, Any]] | None = None) -> Source:
    """The source of that name; `levels` are a gym source's settings when easy, medium and hard."""
    return GymSource(name, levels) if name.startswith(GYM) else GuardedSource(name)


def source_versions(names: Iterable[str | None]) -> list[tuple[str, bytes]]:
    """What the questions of gym sources depend on beside their settings: (package, version), for a suite's hash."""
    if any(name is not None and name.startswith(GYM) for name in names):
        return [("reasoning-gym", importlib.metadata.version("reasoning-gym").encode())]
    return []


class GymSource:
    """A dataset of reasoning-gym (https://github.com/open-thought/reasoning-gym), whose own scorer verifies the answers.

    Easy, medium and hard are the first three levels of the dataset's own curriculum, unless the suite gives its settings.
    ConfigError for a dataset that is unknown or refused, for one without curriculum or levels, and for settings that it does not have.
    """

    def __init__(self, name: str, levels: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._dataset = name.removeprefix(GYM)
        if self._dataset in UNSETTLED:
            raise ConfigError(
                f"gym dataset {self._dataset!r} has another reference answer in every process, so no probe can be scored by it"
            )
        if levels is not None and len(levels) != len(DIFFICULTIES):
            raise ConfigError(f"source {name!r} has {len(levels)} levels", hint=f"give three: {', '.join(DIFFICULTIES)}")
        self._levels = [dict(level) for level in levels] if levels is not None else level_settings(self._dataset, len(DIFFICULTIES))
        for settings in self._levels:
            make_dataset(self._dataset, seed=0, size=1, settings=settings)

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question of that level; its problem is what the dataset asks, its reference makes it again."""
        seed, settings = rng.getrandbits(31), self._levels[difficulty]
        with foreign("source", GYM + self._dataset, ConfigError):
            entry = make_dataset(self._dataset, seed=seed, size=1, settings=settings)[0]
        return Question(
            prompt=str(entry["question"]).strip() + _ASK,
            answer=f"<answer>{entry['answer']}</answer>",
            key=f"{self._dataset}: {entry['question']}",
            reference=json.dumps({"dataset": self._dataset, "seed": seed, "size": 1, "index": 0, "settings": settings}),
            verifier="gym",
        )


class GuardedSource:
    """A registered source; ConfigError names it if it raises or does not give a question."""

    def __init__(self, name: str) -> None:
        self._name = name
        with foreign("source", name, ConfigError):
            self._source: Source = make("source", name)

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """The source's next question of that difficulty."""
        with foreign("source", self._name, ConfigError):
            question = self._source.sample(rng, difficulty)
        if not isinstance(question, Question):
            raise ConfigError(f"source {self._name!r} gave a {type(question).__name__}, not a Question", hint="correct the plug-in")
        return question


class JsonLines:
    """A capability's questions from a file; difficulty = mean of the control factors, min-max normalised over the file, in tertiles.

    Without factors the lengths of prompt and answer (characters) replace them.
    """

    def __init__(self, path: Path) -> None:
        records = read_json_lines(path)
        self._questions = [read_question(record, f"{path}, record {number}") for number, record in enumerate(records, start=1)]
        if len(self._questions) < 3:
            raise ConfigError(f"{path} has {len(self._questions)} questions", hint="give at least a few hundred: they are split four ways")
        factors = [_factors(record, f"{path}, record {number}") for number, record in enumerate(records, start=1)]
        names = sorted(factors[0])
        if any(sorted(f) != names for f in factors):
            raise ConfigError(f"{path}: every record must have the same factors ({', '.join(names)})")
        values = np.array([[f[name] for name in names] for f in factors], dtype=np.float64)  # (n, factors)
        spread = np.ptp(values, axis=0)
        difficulty = ((values - values.min(axis=0)) / np.where(spread > 0, spread, 1)).mean(axis=1)
        order = np.argsort(difficulty, kind="stable")
        self._levels = [level.tolist() for level in np.array_split(order, len(DIFFICULTIES))]

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question from that tertile of the file."""
        index: int = rng.choice(self._levels[difficulty])
        return self._questions[index]


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


def _factors(record: dict[str, Any], where: str) -> dict[str, float]:
    factors = record.get("factors", {"prompt": len(record["prompt"]), "answer": len(record["answer"])})
    if not isinstance(factors, dict) or not factors or not all(type(value) in (int, float) for value in factors.values()):
        raise ConfigError(f"{where}: factors must be a mapping of names to finite numbers")
    check_values(factors, f"{where}: factors")
    return factors
