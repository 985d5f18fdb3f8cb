"""Finds plug-ins in the modules that any distribution, ours included, lists in the entry-point group ``readbench.plugins``.

An entry point names a module or a package. All modules of a package are imported, in subpackages too, except those whose
name begins with an underscore, so nobody keeps a list of plug-ins by hand. The decorated factories (`readbench.api`) in those
modules are the plug-ins. A module that fails to import is recorded and the others are still found; two plug-ins with the same
kind and name are an error, because a result must not depend on which one was found first.
"""

import functools
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from readbench.api import Allocator, Kind, Plugin, Problem, Verifier
from readbench.base.errors import ConfigError, ReadbenchError, TrialFailure, near_match

GROUP = "readbench.plugins"


@dataclass(frozen=True, slots=True)
class Registered:
    """A plug-in and where it comes from."""

    plugin: Plugin
    distribution: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in module that could not be imported."""

    module: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        return f"plug-in module {self.module!r} of {self.distribution!r} does not import: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """All plug-ins by kind and name, and the modules that failed."""

    found: Mapping[tuple[Kind, str], Registered]
    broken: tuple[Broken, ...]

    def plugins(self, kind: Kind) -> dict[str, Registered]:
        """The plug-ins of one kind by name, sorted by name."""
        return {name: registered for (its_kind, name), registered in sorted(self.found.items()) if its_kind == kind}

    def get(self, kind: Kind, name: str) -> Plugin:
        """The plug-in; ConfigError with the near match (and the broken modules, since one of them may have held it)."""
        registered = self.found.get((kind, name))
        if registered is None:
            failures = "".join(f"; {broken}" for broken in self.broken)
            raise ConfigError(f"unknown {kind} {name!r}{failures}", hint=near_match(name, self.plugins(kind)))
        return registered.plugin


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value.partition(".")[0]


def _plugins(entry: EntryPoint, broken: list[Broken]) -> Iterator[Plugin]:
    """The plug-ins of an entry point's module or package; appends the modules that fail to import to `broken`."""
    loaders: list[tuple[str, Callable[[], Any]]] = [(entry.value, entry.load)]
    while loaders:
        name, load = loaders.pop(0)
        try:
            module = load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # foreign code: whatever it raises, even SystemExit, must not stop the others
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            broken.append(Broken(name, _distribution(entry), reason))
            continue
        for value in vars(module).values():
            plugin = getattr(value, "__readbench_plugin__", None)
            if isinstance(plugin, Plugin):
                yield plugin
        inner = sorted(found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ())) if not found.name.startswith("_"))
        loaders += [(path, functools.partial(import_module, path)) for path in (f"{module.__name__}.{each}" for each in inner)]


@functools.cache
def registry() -> Registry:
    """Every plug-in in the environment. Imports the plug-in modules once per process."""
    found: dict[tuple[Kind, str], Registered] = {}
    broken: list[Broken] = []
    # sys.path may list a distribution twice (an editable install next to its own folder): the value decides.
    entries = {entry.value: entry for entry in entry_points(group=GROUP)}
    for _, entry in sorted(entries.items()):
        for plugin in _plugins(entry, broken):
            key = (plugin.kind, plugin.name)
            known = found.get(key)
            if known is not None and known.plugin is not plugin:
                raise ConfigError(
                    f"two plug-ins are {plugin.kind} {plugin.name!r}: one of {known.distribution!r}, one of {_distribution(entry)!r}",
                    hint="uninstall or rename one of them",
                )
            found[key] = Registered(plugin, _distribution(entry))
    return Registry(found, tuple(broken))


def resolve_parameters(plugin: Plugin, given: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """All parameters of a plug-in, with defaults filled in; ConfigError on an unknown name or a wrong type."""
    for name in given:
        if name not in plugin.parameters:
            raise ConfigError(f"{plugin.kind} {plugin.name!r} has no parameter {name!r}", hint=near_match(name, plugin.parameters))
    values: dict[str, bool | int | float | str] = {}
    for name, parameter in plugin.parameters.items():
        value: Any = given.get(name, parameter.default)
        if parameter.annotation is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not parameter.annotation:
            raise ConfigError(
                f"parameter {name!r} of {plugin.kind} {plugin.name!r} is {value!r}, not of type {parameter.annotation.__name__}",
                hint=f"its default is {parameter.default!r}",
            )
        values[name] = cast("bool | int | float | str", value)
    return values


def make(kind: Kind, name: str, *args: Any, **params: Any) -> Any:
    """Builds a plug-in's object: ``make("objective", "sft")``."""
    plugin = registry().get(kind, name)
    return plugin.factory(*args, **resolve_parameters(plugin, params))


def make_allocator(name: str, problem: Problem, seed: int = 0, **params: Any) -> Allocator:
    """Builds an allocator by its registered name; ConfigError on an unknown name or parameter."""
    made: Allocator = make("allocator", name, problem, seed, **params)
    return made


def make_verifier(name: str, **params: Any) -> Verifier:
    """Builds a verifier by its registered name; ConfigError on an unknown name or parameter."""
    made: Verifier = make("verifier", name, **params)
    return made


@contextmanager
def foreign(kind: Kind, name: str, failure: Callable[[str], Exception] = TrialFailure) -> Iterator[None]:
    """Turns whatever a plug-in raises into one line that names it; sys.exit too, but not Ctrl-C.

    Outside a trial a ReadbenchError, meant for the user, is passed on unchanged; inside, it fails the trial.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, ReadbenchError) and failure is not TrialFailure:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise failure(f"{kind} {name!r} raised {reason}") from error
