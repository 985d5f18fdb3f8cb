"""A run's settings, the origin of each value, and their validation. Never imports torch.

Layers, each over the one before: defaults, the suite's defaults, the ``--config`` file, the environment
(``READBENCH_BUDGET_TOKENS``, nested with two underscores: ``READBENCH_TRAINING__LEARNING_RATE``), flags and ``--set``.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field, fields, replace
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import Field
from pydantic.dataclasses import dataclass

from readbench.base.documents import MAX_INTEGER, STRICT, parse_yaml, read_yaml, typed
from readbench.base.errors import ConfigError
from readbench.base.hashing import json_hash
from readbench.base.nested import flatten, nest
from readbench.base.plugins import registry
from readbench.runs.executors.cluster.settings import ClusterConfig
from readbench.runs.parameters import by_kind, in_use, parameter_path
from readbench.runs.references import PLACES, absolute, only_remote, suite_place
from readbench.suites.suite import Suite, load_suite
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.teachers.naming import renamed
from readbench.trials.environments.rollouts.settings import SamplerConfig
from readbench.trials.spec import MAX_SEEDS, SINGULAR, RunIdentity, placeless

ENVIRONMENT_PREFIX = "READBENCH_"
ALLOWING_CODE = ("params.verifier.code.run", "params.code.run")  # only the user sets it, not a suite of somebody else's
ENOUGH_ITEMS = 160  # of a joint task: below, a standard error exceeds 0.04


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunConfig(RunIdentity):
    """Every setting of a run: some identify it, the others change how it is computed, paid for or shown."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N
    workers: Annotated[int, Ge(0)] = 0  # trials at once; 0: one a core
    executor: Literal["pool", "inline", "ray"] = "pool"  # where trials run: worker processes, this process (for a debugger), a Ray cluster
    cluster: ClusterConfig = field(default_factory=ClusterConfig)  # of executor ray
    only_trial: Annotated[str, Field(pattern="^([0-9]{1,6}/[0-9]{1,6})?$")] = ""  # i/n: this run is the i-th of n parts of the grid
    trackers: tuple[str, ...] = ()  # sinks that receive the measurements
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)  # of a teacher reached over HTTP
    sampler: SamplerConfig = field(default_factory=SamplerConfig)  # of a server that writes the student's answers


@plain_dataclass(frozen=True, kw_only=True)
class Resolved:
    """A run's settings, the origin of each by dotted key, and its suite."""

    config: RunConfig
    origins: dict[str, str]
    suite: Suite
    warnings: tuple[str, ...] = ()

    def hash(self) -> str:
        """32 hex digits of the identity and the suite's content."""
        return json_hash([self.identity(), self.suite.content_hash()])

    def identity(self) -> dict[str, Any]:
        """The settings that two runs must share to be the same run."""
        document = config_document(self.config)
        return {each.name: document[each.name] for each in fields(RunIdentity)} | {
            key: renamed(document[key], placeless) if key == "teacher" else placeless(document[key]) for key in PLACES
        }


def config_document(config: RunConfig) -> dict[str, Any]:
    """The settings as JSON values."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return document


def parse_seeds(text: str) -> list[int]:
    """``"5"`` is 0..4, ``"3,7"`` those two, ``"7,"`` that one; ConfigError on anything else."""
    listed = text.strip().removesuffix(",")
    try:
        numbers = [int(part) for part in listed.split(",")]
    except ValueError as error:
        raise ConfigError(f"seeds {text!r} are not whole numbers", hint="give a count (5) or a list (3,7; one seed: 7,)") from error
    if "," in text:
        return numbers
    if numbers[0] < 1:
        raise ConfigError(f"seeds: a run needs at least 1, not {numbers[0]}", hint="give a count (5) or a list (3,7)")
    if numbers[0] > MAX_SEEDS:
        raise ConfigError(f"{numbers[0]} seeds are more than {MAX_SEEDS}", hint="give a count (5) or a list (3,7)")
    return list(range(numbers[0]))


def resolve(
    suite: str,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
    flag_names: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
) -> Resolved:
    """The settings of a run, checked; ConfigError in one line that names the setting and where it came from.

    `flags` maps dotted keys to values, `flag_names` dotted keys to the flags that set them; `sets` holds ``"a.b=value"`` with
    the value as YAML.
    """
    loaded = load_suite(suite)
    layers: list[tuple[str, dict[str, Any]]] = [
        ("default", _defaults()),
        (f"suite {loaded.name}", {"requirement": loaded.config.requirement, **dict(_flatten(loaded.config.defaults))}),
    ]
    if file is not None:
        layers.append((f"config file {file}", dict(_flatten(read_yaml(file)))))
    layers += [(f"environment {name}", {key: value}) for name, key, value in _from_environment(environment)]
    names = flag_names or {}
    layers += [(f"flag --{names.get(key, key)}", dict([_settled(key, value)])) for key, value in (flags or {}).items()]
    layers += [(f"--set {key}", {key: value}) for key, value in map(_from_assignment, sets)]

    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        for key, value in layer.items():
            if key == "suite" and value != loaded.name and suite_place(str(value)) != suite_place(suite):
                raise ConfigError(f"{origin} asks for suite {value!r}, the command for {suite!r}", hint="drop one of them")
            values[key], origins[key] = value, origin
        _check_known(layer, origin)
        _check(values, suite, origin)
    values["suite"], origins["suite"] = suite, "flag --suite"
    config, warnings = _checked_names(_check(values, suite, "settings"))
    allows_code = config.params.get("verifier", {}).get("code", {}).get("run", False)
    if allows_code and not any(key in ALLOWING_CODE for _, layer in layers[2:] for key in layer):
        raise ConfigError(f"suite {loaded.name}: a suite cannot allow code to run", hint=f"say it yourself: --set {ALLOWING_CODE[0]}=true")
    if loaded.composition is not None:
        loaded.composition.plan(config.num_dev)  # a chain without an item is refused now, not in a worker
        if config.num_dev < ENOUGH_ITEMS:
            error = 0.5 / config.num_dev**0.5
            warnings.append(
                f"num_dev is {config.num_dev}: a share of so few items has a standard error of up to {error:.2f}; 300 are enough"
            )
    for key, _ in flatten({"params": config.params}):
        _, _, name = key.split(".", 2)
        origins.setdefault(key, origins.pop(f"params.{name}", "default"))  # the older way of writing names no kind
    return Resolved(config=_placed(config), origins=dict(sorted(origins.items())), suite=loaded, warnings=tuple(warnings))


def restored(document: Mapping[str, Any]) -> RunConfig:
    """The config that `config_document` wrote."""
    return typed(RunConfig, document, "run.json")


def _check(values: Mapping[str, Any], suite: str, origin: str) -> RunConfig:
    """The typed settings; called after every layer, so that an error names the layer it came from."""
    return typed(RunConfig, nest((_path(key), value) for key, value in {**values, "suite": suite}.items()), origin)


def _defaults() -> dict[str, Any]:
    return {key: value for key, value in _flatten(config_document(RunConfig(suite="-"))) if key != "suite"}


def _flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return (_settled(key, value) for key, value in flatten(document))


def _settled(key: str, value: Any) -> tuple[str, Any]:
    """Lists that people write as text: ``seeds: "3,7"``, ``allocators: read,uniform``, ``trackers: mlflow``; and one of a list."""
    if key in SINGULAR:
        return SINGULAR[key], [value]
    if key == "budgets" and isinstance(value, int | float):
        return key, [value]
    if key == "budgets" and isinstance(value, str):
        return key, [_number(part) for part in value.split(",")]
    if key == "seeds" and (isinstance(value, str) or (type(value) is int and value <= MAX_INTEGER)):
        return key, parse_seeds(str(value))
    if key in ("allocators", "objectives", "trackers") and isinstance(value, str):
        return key, [name.strip() for name in value.split(",") if name.strip()]
    return key, value


def _number(text: str) -> int | float | str:
    """``60000`` or ``6e4``; the text where it is no number: its type is checked with all others."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _path(dotted: str) -> tuple[str, ...]:
    return parameter_path(dotted) if dotted.startswith("params.") else tuple(dotted.split("."))


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
    """The text as a YAML value; ``3e-4``, which YAML 1.1 takes for text, becomes a number.

    A plug-in's parameter is one value, so text that looks like a mapping (``{"top_k": 1}``) stays text there.
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


def _checked_names(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """The config with the parameters by kind, and warnings; ConfigError if a plug-in is unknown or named twice."""
    plugins = registry()
    for what, given in (
        ("seed", config.seeds),
        ("allocator", config.allocators),
        ("objective", config.objectives),
        ("budget", config.budgets),
        ("tracker", config.trackers),
    ):
        twice = [str(item) for item in given if given.count(item) > 1]
        if twice:
            raise ConfigError(f"{what} {twice[0]} is given twice", hint=f"give every {what} once")
    for name in config.trackers:
        plugins.get("tracker", name)
    used = in_use(allocators=config.allocators, objectives=config.objectives, teacher=only_remote(config.teacher))
    for kind, name in used:
        plugins.get(kind, name)
    params, warnings = by_kind(config.params, used)
    return replace(config, params=params), warnings


def _placed(config: RunConfig) -> RunConfig:
    """The config with absolute paths."""
    prices = config.endpoint.prices
    endpoint = config.endpoint if not prices else replace(config.endpoint, prices=absolute(prices))
    storage = config.cluster.storage
    cluster = config.cluster if not storage or "://" in storage else replace(config.cluster, storage=absolute(storage))
    sampler = config.sampler if not config.sampler.folder else replace(config.sampler, folder=absolute(config.sampler.folder))
    places: dict[str, Any] = {name: place(getattr(config, name)) for name, place in PLACES.items()}
    return replace(config, endpoint=endpoint, sampler=sampler, cluster=cluster, **places)


def _check_known(layer: Mapping[str, Any], origin: str) -> None:
    """ConfigError for a setting written without its group: ``learning_rate`` for ``training.learning_rate``."""
    known = {each.name for each in fields(RunConfig)}
    for key in layer:
        if key.partition(".")[0] not in known:
            meant = [full for full in _defaults() if full.endswith(f".{key}")]
            if meant:
                raise ConfigError(f"{origin}: unknown setting {key!r}", hint=f"did you mean {meant[0]!r}?")
