"""Suites: a downstream task with its capabilities, requirement, question sources and test set, as versioned YAML.

A suite is a folder with ``suite.yaml``, an lm-eval task and its data; a registered suite is known by its
name, any other by the path of its ``suite.yaml``. The requirement r (K,) is the capabilities' weights over their sum; without
weights it is each capability's share of the steps in the suite's composition.
"""

import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, MaxLen, MinLen
from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from readbench.api import NAME_PATTERN, Source, Vector
from readbench.base.documents import STRICT, read_json_lines, read_yaml, typed
from readbench.base.errors import ConfigError, near_match
from readbench.base.hashing import named_hash
from readbench.base.plugins import registry
from readbench.suites.composition import Composition, check_items
from readbench.suites.metric_names import metrics_of
from readbench.suites.sources import GYM, GymSource, JsonLines, open_source, read_question, source_versions
from readbench.suites.task import read_task

Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN.pattern}$")]
Text = Annotated[str, MinLen(1), MaxLen(4000)]
SourceName = Annotated[str, StringConstraints(pattern=f"^({GYM})?{NAME_PATTERN.pattern}$")]
RequirementSource = Literal["card", "pilots"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CapabilityConfig:
    """Where a capability's questions come from, and how much the task needs it."""

    source: SourceName | None = None  # a registered source, or gym:NAME of reasoning-gym
    levels: tuple[dict[str, Any], ...] | None = None  # of a gym source: its settings when easy, medium, hard
    jsonl: str | None = None  # or a file next to suite.yaml: lines {"prompt", "answer", "factors": {"steps": 3}}
    weight: Annotated[float, Gt(0)] | None = None  # relative need; absent: the task does not need it


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RewardConfig:
    """R = r·Δs − beta·spill − cost·(the interval's share of the budget); spill covers the top_k largest r."""

    beta: Annotated[float, Ge(0)] = 0.5
    cost: Annotated[float, Ge(0)] = 0.0
    top_k: Annotated[int, Ge(1)] = 3


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChainConfig:
    """One kind of item of a joint task: the capabilities of its steps."""

    steps: Annotated[tuple[Name, ...], MinLen(2), MaxLen(8)]
    share: Annotated[float, Gt(0)] = 1.0  # of the items, relative to the other chains


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TestConfig:
    """The test set: an lm-eval task file next to suite.yaml."""

    __test__ = False  # not a test class, despite its name

    task: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckConfig:
    """How strictly `readbench check` judges a run of the suite."""

    margins: dict[str, Annotated[float, Gt(0)]] = field(default_factory=dict)  # by metric, in its unit: the smallest loss that matters


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SuiteConfig:
    """The contents of ``suite.yaml``."""

    schema: int
    name: Name
    version: Annotated[int, Ge(1)]
    summary: Text
    card: Text
    capabilities: dict[Name, CapabilityConfig]
    test: TestConfig
    requirement: RequirementSource = "card"  # where r comes from, unless the run says otherwise
    composition: tuple[ChainConfig, ...] = ()  # of a joint task; empty: an item of the test is one question
    defaults: dict[str, Any] = field(default_factory=dict)  # settings of the run, see readbench.runs.config.RunConfig
    reward: RewardConfig = field(default_factory=RewardConfig)
    check: CheckConfig = field(default_factory=CheckConfig)


class Suite:
    """A suite that was read and checked."""

    def __init__(self, config: SuiteConfig, file: Path) -> None:
        self.config = config
        self.file = file
        self.folder = folder = file.parent
        self.name = config.name
        self.capabilities = tuple(config.capabilities)
        index = {name: number for number, name in enumerate(self.capabilities)}
        chains = [(tuple(index[step] for step in chain.steps), chain.share) for chain in config.composition]
        self.composition = Composition(chains) if chains else None
        weights = np.array([c.weight or 0.0 for c in config.capabilities.values()])
        if self.composition is not None and not weights.any():
            weights = self.composition.step_shares(len(weights))
        self.requirement: Vector = weights / weights.sum()
        self.task_path = folder / config.test.task

    def sources(self) -> tuple[Source, ...]:
        """The K sources of questions, in suite order."""
        return tuple(
            JsonLines(self.folder / str(c.jsonl)) if c.source is None else open_source(c.source, c.levels)
            for c in self.config.capabilities.values()
        )

    def test_prompts(self) -> list[str]:
        """The prompts of the test set, which must never be taught."""
        task, _ = read_task(self.task_path)
        name = task.data_file
        records = read_json_lines(_inside(self.folder, name, f"{self.task_path}: dataset_kwargs.data_files.{task.test_split}"))
        if self.composition is not None:
            check_items(records, self.composition, self.capabilities, name)
        return [
            read_question({k: r[k] for k in ("prompt", "answer") if k in r}, f"{name}, line {n}").prompt for n, r in enumerate(records, 1)
        ]

    def content_hash(self) -> str:
        """The hash of the suite's files, part of a trial's identity; ``suite.yaml`` counts only as far as results depend on it.

        `defaults` and `requirement` are left out, since the resulting settings are in the trial's config, and so is how strict a gate is.
        """
        paths = sorted(p for p in self.folder.rglob("*") if p.is_file() and p.suffix in (".yaml", ".jsonl", ".json"))
        files = [(str(path.relative_to(self.folder)), self._settings() if path == self.file else path) for path in paths]
        return named_hash([*files, *source_versions(c.source for c in self.config.capabilities.values())])

    def _settings(self) -> bytes:
        settings = {key: value for key, value in read_yaml(self.file).items() if key not in ("check", "defaults", "requirement")}
        return json.dumps(settings, default=str).encode()


def load_suite(reference: str, *, tested: bool = True) -> Suite:
    """The registered suite of that name, or the one at that path (``suite.yaml`` or its folder); ConfigError if it is unsound.

    `tested`: the test set is there and is read now; without, it may still have to be written.
    """
    registered = registry().plugins("suite")
    if reference in registered:
        folder = registered[reference].plugin.factory()
    else:
        path = Path(reference)
        folder = path if path.is_dir() else path.parent
        if path.suffix not in (".yaml", ".yml") and not (path / "suite.yaml").is_file():
            registry().get("suite", reference)  # raises, with the near match
    file = Path(reference) if Path(reference).suffix in (".yaml", ".yml") else folder / "suite.yaml"
    where = str(file)
    config = typed(SuiteConfig, read_yaml(file), where)
    if config.schema != 1:
        raise ConfigError(f"{where}: schema {config.schema} is not known", hint="this version reads schema 1")
    if not config.capabilities:
        raise ConfigError(f"{where}: capabilities: at least one is needed")
    _check_capabilities(config, folder, where)
    _inside(folder, config.test.task, f"{where}: test.task")
    metrics = [metric.name for metric in metrics_of(tuple(config.capabilities))]
    for name in config.check.margins:
        if name not in metrics:
            raise ConfigError(f"{where}: check.margins: unknown metric {name!r}", hint=near_match(name, metrics))
    suite = Suite(config, file)
    if tested:
        suite.test_prompts()  # finds an unreadable test set now, not after the first trial
    return suite


def _check_capabilities(config: SuiteConfig, folder: Path, where: str) -> None:
    """ConfigError if a capability has no questions, none is needed, or the composition names one that is not there."""
    for chain in config.composition:
        for step in chain.steps:
            if step not in config.capabilities:
                raise ConfigError(f"{where}: composition: unknown capability {step!r}", hint=near_match(step, config.capabilities))
    if all(c.weight is None for c in config.capabilities.values()) and not config.composition:
        raise ConfigError(f"{where}: no capability has a weight", hint="give the capabilities that the task needs a weight above 0")
    sources = registry().plugins("source")
    for name, capability in config.capabilities.items():
        if (capability.source is None) == (capability.jsonl is None):
            raise ConfigError(f"{where}: capabilities.{name} needs either a source or a jsonl file")
        if capability.levels is not None and not str(capability.source).startswith(GYM):
            raise ConfigError(f"{where}: capabilities.{name}: only a gym source has levels", hint=f"source: {GYM}chain_sum")
        if capability.source is not None and capability.source.startswith(GYM):
            GymSource(capability.source, capability.levels)  # finds an unknown dataset or setting now
        elif capability.source is not None and capability.source not in sources:
            raise ConfigError(
                f"{where}: capabilities.{name}: unknown source {capability.source!r}", hint=near_match(capability.source, sources)
            )
        if capability.jsonl is not None:
            _inside(folder, capability.jsonl, f"{where}: capabilities.{name}.jsonl")


def _inside(folder: Path, name: str, where: str) -> Path:
    path = folder / name
    try:
        inside, found = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # the name is too long or holds a NUL, or links form a circle
        raise ConfigError(f"{where}: {name!r:.80} is not a file name") from error
    if not inside:
        raise ConfigError(f"{where}: {name!r} is outside the suite's folder")
    if not found:
        raise ConfigError(f"{where}: there is no file {name!r} next to suite.yaml")
    return path
