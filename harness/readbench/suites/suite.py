"""Suites: a downstream task with its capabilities, requirement, question sources and test set, as versioned YAML.

A suite is a folder with ``suite.yaml``, an lm-eval task and its data; a registered suite is known by its
name, any other by the path of its ``suite.yaml``. The requirement r (K,) is the capabilities' weights over their sum; without
weights it is each capability's share of the steps in the suite's composition.
"""

import importlib.metadata
import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, MaxLen, MinLen
from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from readbench.api import NAME_PATTERN, Chain, Question, Source, Vector
from readbench.base.documents import STRICT, read_json_lines, read_yaml, typed
from readbench.base.errors import ConfigError, near_match
from readbench.base.hashing import named_hash
from readbench.base.plugins import registry
from readbench.suites.composition import Composition, check_items
from readbench.suites.evaluation.task import read_task
from readbench.suites.grading import Grader, check_answer
from readbench.suites.metric_names import metrics_of
from readbench.suites.sources.listed import NEEDED, TEXTS, read_question
from readbench.suites.sources.opening import CapabilityConfig, check_source, open_source, source_versions
from readbench.suites.sources.table import SUFFIXES

Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN.pattern}$")]
Text = Annotated[str, MinLen(1), MaxLen(4000)]
DATA_SUFFIXES = (".yaml", *SUFFIXES)  # of the files that a suite is made of
RequirementSource = Literal["card", "pilots", "identifier"]


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
    """The test set: one of an lm-eval task file or a file of questions, next to suite.yaml, or the names of lm-eval's own tasks."""

    __test__ = False  # not a test class, despite its name

    task: Text | None = None  # scored by likelihood
    generate: Text | None = None  # lines {"prompt", "answer", "verifier", "reference"}: the student answers, verifiers score
    lm_eval: Annotated[dict[Text, Name], MinLen(1)] | None = None  # tasks that lm-eval installs, each with its capability


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
    probes: Literal["likelihood", "generate"] = "likelihood"  # of the right answers, or verified answers of the student
    requirement: RequirementSource = "card"  # where r comes from, unless the run says otherwise
    composition: tuple[ChainConfig, ...] = ()  # of a joint task; empty: an item of the test is one question
    defaults: dict[str, Any] = field(default_factory=dict)  # settings of the run, see readbench.runs.config.RunConfig
    reward: RewardConfig = field(default_factory=RewardConfig)
    show_dev: bool = True  # whether an allocator sees the dev utility where it is measured
    check: CheckConfig = field(default_factory=CheckConfig)


class Suite:
    """A suite that was read and checked."""

    def __init__(self, config: SuiteConfig, file: Path) -> None:
        self.config = config
        self.file = file
        self.folder = file.parent
        self.name = config.name
        self.capabilities = tuple(config.capabilities)
        index = {name: number for number, name in enumerate(self.capabilities)}
        chains = [(tuple(index[step] for step in chain.steps), chain.share) for chain in config.composition]
        self.composition = Composition(chains) if chains else None
        weights = np.array([c.weight or 0.0 for c in config.capabilities.values()])
        if self.composition is not None and not weights.any():
            weights = self.composition.step_shares(len(weights))
        self.requirement: Vector = weights / weights.sum()

    @property
    def known_composition(self) -> tuple[Chain, ...] | None:
        """The kinds of items, as the card tells them: a mixture's are single questions. None where the card is wrong about the steps."""
        if self.composition is None:
            return tuple(Chain(steps=(c,), share=float(weight)) for c, weight in enumerate(self.requirement) if weight > 0)
        stated = np.allclose(self.requirement, self.composition.step_shares(len(self.requirement)))
        return self.composition.chains if stated else None

    @property
    def task_path(self) -> Path:
        """The test set's lm-eval task, where it has one."""
        return self.folder / str(self.config.test.task)

    def sources(self) -> tuple[Source, ...]:
        """The K sources of questions, in suite order."""
        return tuple(open_source(capability, self.folder) for capability in self.config.capabilities.values())

    def test_prompts(self) -> list[str]:
        """The prompts of the test set, which must never be taught."""
        return [question.prompt for question in self.test_questions()[0]]

    def test_questions(self) -> tuple[list[Question], list[int]]:
        """The questions of the test set, and the item that each is a step of; of lm-eval's own tasks, only what they ask."""
        if self.config.test.lm_eval is not None:
            from readbench.suites.evaluation.installed import load_installed  # late: lm-eval imports torch

            prompts = load_installed(tuple(self.config.test.lm_eval)).prompts()
            return [Question(prompt=prompt, answer="") for prompt in prompts], list(range(len(prompts)))
        name, keys = str(self.config.test.generate), TEXTS
        if self.config.test.generate is None:
            task, _ = read_task(self.task_path)
            name, keys = task.data_file, NEEDED  # the rest of a line is the task's
            _inside(self.folder, name, f"{self.task_path}: dataset_kwargs.data_files.{task.test_split}")
        records = read_json_lines(self.folder / name)
        if self.composition is not None:
            check_items(records, self.composition, self.capabilities, name)
        questions = [read_question({k: r[k] for k in keys if k in r}, f"{name}, line {n}") for n, r in enumerate(records, 1)]
        return questions, [n if self.composition is None else record["item"] for n, record in enumerate(records)]

    def content_hash(self) -> str:
        """The hash of the suite's files, part of a trial's identity; ``suite.yaml`` counts only as far as results depend on it.

        `defaults` and `requirement` are left out, since the resulting settings are in the trial's config, and so is how strict a gate is.
        """
        paths = sorted(p for p in self.folder.rglob("*") if p.is_file() and p.suffix in DATA_SUFFIXES)
        files = [(str(path.relative_to(self.folder)), self._settings() if path == self.file else path) for path in paths]
        versions = source_versions(self.config.capabilities.values(), self.folder)
        if self.config.test.lm_eval is not None:
            versions.append(("lm-eval", importlib.metadata.version("lm_eval").encode()))
        return named_hash([*files, *versions])

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
    _check_test_config(config, folder, where, tested=tested)
    metrics = [metric.name for metric in metrics_of(tuple(config.capabilities))]
    for name in config.check.margins:
        if name not in metrics:
            raise ConfigError(f"{where}: check.margins: unknown metric {name!r}", hint=near_match(name, metrics))
    suite = Suite(config, file)
    if tested:
        _check_test(suite)  # finds an unreadable test set now, not after the first trial
    return suite


def _check_test_config(config: SuiteConfig, folder: Path, where: str, *, tested: bool) -> None:
    """ConfigError if the test set is named in more than one way, or is of a capability or file that is not there."""
    given = {kind: name for kind, name in (("task", config.test.task), ("generate", config.test.generate)) if name is not None}
    if len(given) + (config.test.lm_eval is not None) != 1:
        raise ConfigError(f"{where}: test needs one of task, generate and lm_eval")
    for task, capability in (config.test.lm_eval or {}).items():
        if capability not in config.capabilities:
            raise ConfigError(
                f"{where}: test.lm_eval: {task} is of unknown capability {capability!r}", hint=near_match(capability, config.capabilities)
            )
        if config.composition:
            raise ConfigError(f"{where}: lm-eval's tasks have no items of several steps", hint="leave out the composition, or name a file")
    for kind, name in given.items():
        _inside(folder, name, f"{where}: test.{kind}", there=tested or kind == "task")


def _check_test(suite: Suite) -> None:
    """ConfigError if the test set cannot be read, or a question's own answer is wrong by its verifier.

    Tasks that lm-eval installs are looked at where the student is: that takes torch and, perhaps, the network.
    """
    if suite.config.test.lm_eval is not None:
        needed = dict(zip(suite.capabilities, suite.requirement, strict=True))
        if not any(needed[capability] for capability in suite.config.test.lm_eval.values()):
            raise ConfigError(f"{suite.file}: test.lm_eval names no capability that the task needs", hint="give one a weight")
        return
    questions, _ = suite.test_questions()
    if not questions:
        raise ConfigError(f"{suite.file}: the test set holds no questions", hint="one JSON object a line")
    if suite.config.test.generate is not None:
        grader = Grader()
        for number, question in enumerate(questions, start=1):
            check_answer(question, grader, f"{suite.config.test.generate}, line {number}")


def _check_capabilities(config: SuiteConfig, folder: Path, where: str) -> None:
    """ConfigError if a capability has no questions, none is needed, or the composition names one that is not there."""
    for chain in config.composition:
        for step in chain.steps:
            if step not in config.capabilities:
                raise ConfigError(f"{where}: composition: unknown capability {step!r}", hint=near_match(step, config.capabilities))
    if all(c.weight is None for c in config.capabilities.values()) and not config.composition:
        raise ConfigError(f"{where}: no capability has a weight", hint="give the capabilities that the task needs a weight above 0")
    for name, capability in config.capabilities.items():
        check_source(capability, f"{where}: capabilities.{name}")
        if capability.file is not None:
            _inside(folder, capability.file, f"{where}: capabilities.{name}")


def _inside(folder: Path, name: str, where: str, *, there: bool = True) -> Path:
    """The file's path; ConfigError if it is outside the folder, or is to be there and is not."""
    path = folder / name
    try:
        inside, found = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # the name is too long or holds a NUL, or links form a circle
        raise ConfigError(f"{where}: {name!r:.80} is not a file name") from error
    if not inside:
        raise ConfigError(f"{where}: {name!r} is outside the suite's folder")
    if there and not found:
        raise ConfigError(f"{where}: there is no file {name!r} next to suite.yaml")
    return path
