"""A capability's settings in suite.yaml, and the source that they mean."""

import importlib.metadata
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt
from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from readbench.api import NAME_PATTERN, Difficulty, Question, Source
from readbench.base.documents import STRICT
from readbench.base.errors import ConfigError, near_match
from readbench.base.plugins import foreign, make, registry
from readbench.suites.sources.gym import GYM, GymSource
from readbench.suites.sources.listed import read_list
from readbench.suites.sources.table import TableConfig, open_table

SourceName = Annotated[str, StringConstraints(pattern=f"^({GYM})?{NAME_PATTERN.pattern}$")]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CapabilityConfig:
    """Where a capability's questions come from, one of source, jsonl and dataset, and how much the task needs it."""

    source: SourceName | None = None  # a registered source, or gym:NAME of reasoning-gym
    levels: tuple[dict[str, Any], ...] | None = None  # of a gym source: its settings when easy, medium and hard
    jsonl: str | None = None  # a file next to suite.yaml: lines {"prompt", "answer", "factors": {"steps": 3}}
    dataset: TableConfig | None = None  # a table of the hub, or in a file next to suite.yaml
    weight: Annotated[float, Gt(0)] | None = None  # relative need; absent: the task does not need it

    @property
    def file(self) -> str | None:
        """The file next to suite.yaml that holds the questions, if one does."""
        return self.dataset.path if self.dataset is not None and self.dataset.is_file else self.jsonl


def open_source(config: CapabilityConfig, folder: Path) -> Source:
    """The source; `folder` is that of suite.yaml."""
    if config.dataset is not None:
        return open_table(config.dataset, folder)
    if config.source is None:
        return read_list(folder / str(config.jsonl))
    return GymSource(config.source, config.levels) if config.source.startswith(GYM) else GuardedSource(config.source)


def check_source(config: CapabilityConfig, where: str) -> None:
    """ConfigError if the settings name no source, several, or one that is not there; files are looked at by who knows the folder."""
    if sum(each is not None for each in (config.source, config.jsonl, config.dataset)) != 1:
        raise ConfigError(f"{where} needs one of source, jsonl and dataset")
    is_gym = str(config.source).startswith(GYM)
    if config.levels is not None and not is_gym:
        raise ConfigError(f"{where}: only a gym source has levels", hint=f"source: {GYM}chain_sum")
    if is_gym:
        GymSource(str(config.source), config.levels)  # finds an unknown dataset or setting now
    sources = registry().plugins("source")
    if config.source is not None and not is_gym and config.source not in sources:
        raise ConfigError(f"{where}: unknown source {config.source!r}", hint=near_match(config.source, sources))


def source_versions(configs: Iterable[CapabilityConfig], folder: Path) -> list[tuple[str, bytes]]:
    """What questions depend on beside the suite's own files: reasoning-gym's version, and the rows of hub datasets; for a suite's hash."""
    configs = list(configs)
    found = []
    if any(str(config.source).startswith(GYM) for config in configs):
        found.append(("reasoning-gym", importlib.metadata.version("reasoning-gym").encode()))
    tables = [config.dataset for config in configs if config.dataset is not None and not config.dataset.is_file]
    return found + [(table.path, open_table(table, folder).content.encode()) for table in tables]


class GuardedSource:
    """A registered source; ConfigError names it if it raises or does not give a question."""

    def __init__(self, name: str) -> None:
        self._name = name
        with foreign("source", name, ConfigError):
            self._source: Source = make("source", name)

    def __str__(self) -> str:
        """Its name in suite.yaml."""
        return self._name

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """The source's next question of that difficulty."""
        with foreign("source", self._name, ConfigError):
            question = self._source.sample(rng, difficulty)
        if not isinstance(question, Question):
            raise ConfigError(f"source {self._name!r} gave a {type(question).__name__}, not a Question", hint="correct the plug-in")
        return question
