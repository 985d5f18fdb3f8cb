"""A run's settings, from where each value came, and their validation. Knows nothing of torch.

Layers, each over the one before: defaults, the suite's defaults, the ``--config`` file, the environment
(``READBENCH_BUDGET_TOKENS``, nested with two underscores: ``READBENCH_TRAINING__LEARNING_RATE``), flags and ``--set``.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.dataclasses import dataclass

from readbench.base.documents import MAX_INTEGER, STRICT, parse_yaml, read_yaml, typed
from readbench.base.errors import ConfigError
from readbench.base.hashing import json_hash
from readbench.base.nested import flatten, nest
from readbench.base.plugins import registry, resolve_parameters
from readbench.models.text import ChatConfig
from readbench.students.schedule import TrainingConfig
from readbench.suites.suite import Suite, load_suite
from readbench.teachers.endpoint.settings import EndpointConfig

ENVIRONMENT_PREFIX = "READBENCH_"
FLAGS = {  # settings whose flag has another name
    "budget_tokens": "budget",
    "num_intervals": "intervals",
    "trackers": "track",
    "params.openai.url": "teacher-url",
    "endpoint.spend_limit": "spend-limit",
    "endpoint.prices": "prices",
}
MAX_SEEDS = 1000
DEFAULT_ALLOCATORS = ("read", "uniform", "random", "per-capability", "task-static")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunConfig:
    """Every setting of a run. Token counts are in tokens of the teacher's and the student's own tokenizers."""

    suite: str
    allocators: Annotated[tuple[str, ...], MinLen(1)] = DEFAULT_ALLOCATORS
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], MinLen(1), MaxLen(MAX_SEEDS)] = (0, 1, 2, 3, 4)
    budget_tokens: Annotated[int, Ge(1), Le(1 << 36)] = 1_000_000  # a trial may charge: generated + trained
    num_intervals: Annotated[int, Ge(1)] = 10
    objective: str = "sft"
    teacher: str = "lab/teacher"
    student: str = "lab/student"
    device: str = "auto"  # auto, cpu, cuda, cuda:N
    workers: Annotated[int, Ge(0)] = 0  # trials at once; 0: one a core
    executor: Literal["pool", "inline"] = "pool"  # where trials run: worker processes, or this process (for a debugger)
    trackers: tuple[str, ...] = ()  # sinks that are told what is measured
    max_new_tokens: Annotated[int, Ge(1)] = 256  # of a teacher's response
    num_probes: Annotated[int, Ge(2)] = 40  # a capability; the reward and the profile are measured on them
    num_dev: Annotated[int, Ge(2)] = 40  # a required capability; the learning curve is measured on them
    params: dict[str, dict[str, bool | int | float | str]] = field(default_factory=dict)  # of plug-ins, by their name
    training: TrainingConfig = field(default_factory=TrainingConfig)
    teacher_chat: ChatConfig = field(default_factory=ChatConfig)  # of a local teacher with a chat template, or an endpoint's chat
    student_chat: ChatConfig = field(default_factory=ChatConfig)  # of a student with a chat template
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)  # of a teacher that is asked over HTTP


NOT_IDENTITY = (
    "workers",
    "device",
    "executor",
    "trackers",
    "endpoint",
)  # settings that change how a run is computed or shown, not what it is


@plain_dataclass(frozen=True, kw_only=True)
class Resolved:
    """A run's settings, the origin of each by dotted key, and its suite."""

    config: RunConfig
    origins: dict[str, str]
    suite: Suite

    def hash(self) -> str:
        """32 hex digits of the identity and the suite's content."""
        return json_hash([self.identity(), self.suite.content_hash()])

    def identity(self) -> dict[str, Any]:
        """The settings that two runs must share to be the same run."""
        return {key: value for key, value in config_document(self.config).items() if key not in NOT_IDENTITY}


def config_document(config: RunConfig) -> dict[str, Any]:
    """The settings as JSON values."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return document


def parse_seeds(text: str) -> list[int]:
    """``"5"`` is 0..4, ``"3,7"`` those two, ``"7,"`` that one; ConfigError on anything else, and on none."""
    listed = text.strip().removesuffix(",")
    try:
        numbers = [int(part) for part in listed.split(",")]
    except ValueError as error:
        raise ConfigError(f"seeds {text!r} are not whole numbers", hint="give a count (5) or a list (3,7; one seed: 7,)") from error
    if "," in text:
        return numbers
    if numbers[0] < 1:
        raise ConfigError(f"{numbers[0]} seeds are none", hint="give a count of at least 1 (5), or a list (3,7)")
    if numbers[0] > MAX_SEEDS:
        raise ConfigError(f"{numbers[0]} seeds are more than {MAX_SEEDS}", hint="give a count (5) or a list (3,7)")
    return list(range(numbers[0]))


def resolve(
    suite: str,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
    sets: Sequence[str] = (),
) -> Resolved:
    """The settings of a run, checked; ConfigError in one line that names the setting and where it came from.

    `flags` maps dotted keys to values; `sets` holds ``"a.b=value"`` with the value as YAML.
    """
    loaded = load_suite(suite)
    layers: list[tuple[str, dict[str, Any]]] = [
        ("default", _defaults()),
        (f"suite {loaded.name}", dict(_flatten(loaded.config.defaults))),
    ]
    if file is not None:
        layers.append((f"config file {file}", dict(_flatten(read_yaml(file)))))
    layers += [(f"environment {name}", {key: value}) for name, key, value in _from_environment(environment)]
    layers += [(f"flag --{FLAGS.get(key, key)}", dict([_settled(key, value)])) for key, value in (flags or {}).items()]
    layers += [(f"--set {key}", {key: value}) for key, value in map(_from_assignment, sets)]

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for key, value in layer.items():
            if key == "suite" and value not in (suite, loaded.name):
                raise ConfigError(f"{origin} asks for suite {value!r}, the command for {suite!r}", hint="drop one of them")
            values[key], origins[key] = value, origin
        _check(values, suite, origin)
    values["suite"], origins["suite"] = suite, "flag --suite"
    config = _check(values, suite, "settings")
    _check_names(config)
    return Resolved(config=config, origins=dict(sorted(origins.items())), suite=loaded)


def teacher_reference(reference: str) -> tuple[str, str]:
    """``name:model`` as (teacher plug-in, model); without a registered name before the colon it is a local model ("hf")."""
    name, colon, model = reference.partition(":")
    return (name, model) if colon and name in registry().plugins("teacher") else ("hf", reference)


def restored(document: Mapping[str, Any]) -> RunConfig:
    """The config that `config_document` wrote."""
    return typed(RunConfig, document, "run.json")


def _check(values: Mapping[str, Any], suite: str, origin: str) -> RunConfig:
    """The settings typed; called after every layer, so that an error names the layer that brought it."""
    return typed(RunConfig, nest((_path(key), value) for key, value in {**values, "suite": suite}.items()), origin)


def _defaults() -> dict[str, Any]:
    return {key: value for key, value in _flatten(config_document(RunConfig(suite="-"))) if key != "suite"}


def _flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return (_settled(key, value) for key, value in flatten(document))


def _settled(key: str, value: Any) -> tuple[str, Any]:
    """Lists that people write as text: ``seeds: "3,7"``, ``allocators: read,uniform``, ``trackers: mlflow``."""
    if key == "seeds" and (isinstance(value, str) or (type(value) is int and value <= MAX_INTEGER)):
        return key, parse_seeds(str(value))
    if key in ("allocators", "trackers") and isinstance(value, str):
        return key, [name.strip() for name in value.split(",") if name.strip()]
    return key, value


def _path(dotted: str) -> tuple[str, ...]:
    *parents, last = dotted.split(".")
    if parents[:1] == ["params"] and len(parents) > 2:  # a plug-in's name may hold dots
        parents = ["params", ".".join(parents[1:])]
    return (*parents, last)


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            yield name, *_settled(key, _scalar(key, environment[name], name))


def _from_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text!r} is not of the form key=value", hint="for example --set training.learning_rate=3e-4")
    return _settled(key.strip(), _scalar(key.strip(), value, f"--set {key}"))


def _scalar(key: str, text: str, where: str) -> Any:
    """The text as a YAML value; ``3e-4``, which YAML 1.1 takes for text, as the number it is.

    A plug-in's parameter is one value, so what looks like a mapping (``{"top_k": 1}``) is text there.
    """
    if key.startswith("params.") and text.lstrip().startswith("{"):
        return text
    value = parse_yaml(f"value: {text}", where)["value"]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _check_names(config: RunConfig) -> None:
    plugins = registry()
    for what, given in (("seed", config.seeds), ("allocator", config.allocators), ("tracker", config.trackers)):
        twice = [str(item) for item in given if given.count(item) > 1]
        if twice:
            raise ConfigError(f"{what} {twice[0]} is given twice", hint=f"give every {what} once")
    for name in config.trackers:
        plugins.get("tracker", name)
    for name in config.allocators:
        resolve_parameters(plugins.get("allocator", name), config.params.get(name, {}))
    resolve_parameters(plugins.get("objective", config.objective), config.params.get(config.objective, {}))
    teacher, _ = teacher_reference(config.teacher)
    resolve_parameters(plugins.get("teacher", teacher), config.params.get(teacher, {}))
    known = {*config.allocators, config.objective, teacher}
    for name in config.params:
        if name not in known:
            if any(name.startswith(f"{plugin}.") for plugin in known):
                raise ConfigError(f"params.{name} is a group of settings, but a plug-in's parameter is one value", hint="write it as text")
            raise ConfigError(f"params.{name} belongs to no plug-in of this run", hint=f"in use: {', '.join(sorted(known))}")
