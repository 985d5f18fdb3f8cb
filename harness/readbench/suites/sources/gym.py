"""Questions of reasoning-gym's datasets."""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from readbench.api import DIFFICULTIES, Difficulty, Question
from readbench.base.errors import ConfigError
from readbench.base.hashing import content_hash
from readbench.base.plugins import foreign
from readbench.suites.verifiers.gym import UNSETTLED, level_settings, make_dataset

GYM = "gym:"  # what a source's name begins with, if it is a dataset of reasoning-gym
_ASK = "\n\nWrite your final answer between <answer> and </answer>."


class GymSource:
    """A dataset of reasoning-gym (https://github.com/open-thought/reasoning-gym), whose own scorer verifies the answers.

    Easy, medium and hard are the first three levels of the dataset's own curriculum, unless the suite gives its settings.
    ConfigError for a dataset that is unknown or refused, for one without curriculum or levels, and for settings that it does not have.
    """

    def __init__(self, name: str, levels: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._name = name
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

    def __str__(self) -> str:
        """Its name in suite.yaml."""
        return self._name

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question of that level; its problem is what the dataset asks, its reference makes it again."""
        seed, settings = rng.getrandbits(31), self._levels[difficulty]
        with foreign("source", self._name, ConfigError):
            entry = make_dataset(self._dataset, seed=seed, size=1, settings=settings)[0]
        return Question(
            prompt=str(entry["question"]).strip() + _ASK,
            answer=f"<answer>{entry['answer']}</answer>",
            key=f"{self._dataset} {content_hash(entry['question'].encode())}",
            reference=json.dumps({"dataset": self._dataset, "seed": seed, "size": 1, "index": 0, "settings": settings}),
            verifier="gym",
        )
