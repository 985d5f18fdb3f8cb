"""The parameters of a run's plug-ins: ``params.KIND.NAME.PARAMETER``, by kind, since an allocator and an objective may share a name."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from readbench.api import Kind
from readbench.base.errors import ConfigError, near_match
from readbench.base.plugins import registry, resolve_parameters
from readbench.trials.spec import OF_ANY_KIND

Params = Mapping[str, Mapping[str, Mapping[str, bool | int | float | str]]]


def parameter_path(dotted: str) -> tuple[str, ...]:
    """The setting's path; a plug-in's name may hold dots."""
    _, *name, parameter = dotted.split(".")
    if len(name) < 2 or name[0] not in get_args(Kind):
        return ("params", OF_ANY_KIND, ".".join(name), parameter) if name else ("params", parameter)
    return ("params", name[0], ".".join(name[1:]), parameter)


def in_use(*, allocators: tuple[str, ...], objectives: tuple[str, ...], teacher: str) -> tuple[tuple[Kind, str], ...]:
    """The plug-ins that take parameters."""
    # a suite's questions say which verifiers they need
    verifiers: Iterable[tuple[Kind, str]] = (("verifier", name) for name in registry().plugins("verifier"))
    trained: Iterable[tuple[Kind, str]] = (("objective", name) for name in objectives)
    return (*(("allocator", name) for name in allocators), *trained, ("teacher", teacher), *verifiers)


def by_kind(params: Params, used: tuple[tuple[Kind, str], ...]) -> tuple[dict[str, dict[str, dict[str, Any]]], list[str]]:
    """The checked parameters, with the kind that the older way of writing leaves out; and a warning for each name written so.

    ConfigError if they belong to no plug-in of the run, or the plug-in does not take them.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    warnings = []
    for name, given in params.get(OF_ANY_KIND, {}).items():
        kinds = [kind for kind, its_name in used if its_name == name]
        if not kinds:
            raise _unused(f"params.{name}", used)
        for kind in kinds:
            found.setdefault(kind, {})[name] = dict(given)
            warnings.append(f"params.{name} is the older way of writing: write params.{kind}.{name}")
    for kind_name, by_name in params.items():
        for name, given in by_name.items() if kind_name != OF_ANY_KIND else ():
            if (kind_name, name) not in used:
                raise _unused(f"params.{kind_name}.{name}", used)
            named = found.setdefault(kind_name, {})
            named[name] = named.get(name, {}) | dict(given)
    for kind, name in used:
        resolve_parameters(registry().get(kind, name), found.get(kind, {}).get(name, {}))
    return found, warnings


def _unused(key: str, used: tuple[tuple[Kind, str], ...]) -> ConfigError:
    names = [f"params.{kind}.{name}" for kind, name in used]
    if any(key.startswith((f"{name}.", f"params.{plugin}.")) for name, (_, plugin) in zip(names, used, strict=True)):
        return ConfigError(f"{key} is a group of settings, but a plug-in's parameter is one value", hint="write it as text")
    return ConfigError(f"{key} belongs to no plug-in of this run", hint=near_match(key, names))
