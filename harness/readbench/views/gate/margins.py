"""Which metrics are gated and with which margin: the suite's, over them `[tool.readbench.check]` in pyproject.toml, over them flags.

A margin δ > 0 is the least loss that matters, in the metric's unit. A metric is gated where it has one; a list of metrics narrows that.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT, check_values, read_text, typed
from readbench.base.errors import ConfigError, near_match
from readbench.base.nested import flatten
from readbench.suites.metric_names import PRIMARY, Metric

DEFAULT_MARGIN = 0.02  # of the primary metric, if none is set


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckSettings:
    """``[tool.readbench.check]``."""

    margins: dict[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    metrics: tuple[str, ...] | None = None
    inconclusive: Literal["warn", "fail"] = "warn"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ToolSettings:
    """``[tool.readbench]``."""

    check: CheckSettings = field(default_factory=CheckSettings)


@plain_dataclass(frozen=True, slots=True)
class Margin:
    """A gated metric."""

    metric: Metric
    delta: float
    origin: str  # where the margin was set


def read_settings(folder: Path) -> tuple[CheckSettings, str]:
    """The settings of the nearest pyproject.toml, from the folder upwards, that has a `[tool.readbench]`, and where they are from."""
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        if path.is_file():
            try:
                tool = tomllib.loads(read_text(path)).get("tool", {})
            except (ValueError, RecursionError) as error:  # the first also of a number with thousands of digits
                raise ConfigError(f"{path} is not valid TOML: {error}") from error
            table = tool.get("readbench") if isinstance(tool, dict) else None
            if table is not None:
                check_values(table, f"{path} [tool.readbench]")
                return typed(ToolSettings, _with_dotted_margins(table), f"{path} [tool.readbench]").check, f"{path} [tool.readbench.check]"
    return CheckSettings(), "default"


def resolve_margins(
    known: Sequence[Metric],
    *,
    suite: Mapping[str, float],
    settings: tuple[CheckSettings, str],
    flags: Sequence[str],
    metrics: str | None,
) -> tuple[Margin, ...]:
    """The gated metrics in the order of `known`; ConfigError that names the layer of an unknown metric or a wrong margin.

    `flags` holds ``METRIC=DELTA``, `metrics` a comma-separated list.
    """
    pyproject, where = settings
    layers = [("default", {} if suite else {PRIMARY: DEFAULT_MARGIN}), ("suite", suite), (where, pyproject.margins)]
    layers += [("--margin", dict([_assignment(text)])) for text in flags]
    by_name = {metric.name: metric for metric in known}
    margins: dict[str, Margin] = {}
    for origin, layer in layers:
        for name, delta in layer.items():
            _known(name, by_name, origin)
            margins[name] = Margin(by_name[name], delta, origin)
    chosen, origin = _chosen(metrics, pyproject.metrics, where)
    for name in chosen or ():
        _known(name, by_name, origin)
        if name not in margins:
            raise ConfigError(f"{origin}: metric {name!r} has no margin", hint=f"say what loss of it matters: --margin {name}=0.02")
    return tuple(margins[name] for name in by_name if name in margins and (chosen is None or name in chosen))


def _chosen(flag: str | None, setting: tuple[str, ...] | None, where: str) -> tuple[tuple[str, ...] | None, str]:
    names, origin = (setting, where) if flag is None else (tuple(name.strip() for name in flag.split(",") if name.strip()), "--metrics")
    if names is not None and not names:
        raise ConfigError(f"{origin}: no metric is named", hint="a gate needs one at least, for example utility")
    return names, origin


def _known(name: str, by_name: Mapping[str, Metric], origin: str) -> None:
    if name not in by_name:
        raise ConfigError(f"{origin}: unknown metric {name!r}", hint=near_match(name, by_name))


def _assignment(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        delta = float(number)
    except ValueError:
        delta = math.nan
    if not 0 < delta < math.inf:
        raise ConfigError(f"--margin {text!r} is not of the form METRIC=DELTA with DELTA above 0", hint="for example --margin utility=0.02")
    return name.strip(), delta


def _with_dotted_margins(table: Any) -> Any:
    """TOML reads the bare key ``profile.math = 0.05`` as a table in a table: both spellings name the metric."""
    match table:
        case {"check": {"margins": {**margins}, **check}, **rest}:
            return rest | {"check": check | {"margins": dict(flatten({str(key): value for key, value in margins.items()}))}}
    return table
