import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from readbench import make_allocator
from readbench.api import Allocator, Observation, Problem, allocator
from readbench.base import plugins
from readbench.base.errors import ConfigError
from readbench.base.plugins import Registry, make, registry, resolve_parameters

PROBLEM = Problem(capabilities=("a", "b"), requirement=np.array([0.7, 0.3]), teacher_profile=None, budget_tokens=1000, num_intervals=4)


def test_the_registry_holds_ours_with_their_summaries() -> None:
    allocators = registry().plugins("allocator")
    assert {"read", "greedy", "uniform", "random", "per-capability", "one-hot", "task-static", "gap"} <= set(allocators)
    assert all(registered.plugin.summary for registered in allocators.values())
    assert {registered.distribution for registered in allocators.values()} == {"readbench"}
    assert not registry().broken


def test_an_allocator_is_built_by_name_with_checked_parameters() -> None:
    assert isinstance(make_allocator("uniform", PROBLEM), Allocator)
    with pytest.raises(ConfigError, match="unknown allocator 'unifrm'; did you mean 'uniform'"):
        make_allocator("unifrm", PROBLEM)
    with pytest.raises(ConfigError, match="no parameter 'flor'; did you mean 'floor'"):
        make_allocator("gap", PROBLEM, flor=0.1)
    with pytest.raises(ConfigError, match="not of type float"):
        make_allocator("gap", PROBLEM, floor="0.1")


def test_defaults_are_recorded_and_an_integer_is_a_float() -> None:
    plugin = registry().get("allocator", "gap")
    assert resolve_parameters(plugin, {}) == {name: parameter.default for name, parameter in plugin.parameters.items()}
    assert resolve_parameters(plugin, {"floor": 0}) == {**resolve_parameters(plugin, {}), "floor": 0.0}


def untyped(problem, seed, *, floor=0.1):  # type: ignore[no-untyped-def]
    """A factory whose parameter has no type."""


def test_a_factory_without_types_or_with_a_bad_name_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="must match"):
        allocator("My Allocator")
    with pytest.raises(TypeError, match="needs a type"):
        allocator("mine")(untyped)


def test_make_passes_positional_arguments_on() -> None:
    problem = replace(PROBLEM, requirement=np.array([0.0, 1.0]))
    observation = Observation(interval=0, profile=np.array([0.5, 0.5]), budget_left=1.0, recent=())
    assert make("allocator", "task-static", problem, 3).propose(observation).tolist() == [0.0, 1.0]
    seeds = [make("allocator", "random", PROBLEM, seed).propose(observation).tolist() for seed in (3, 3, 4)]
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of plug-ins on the path: two in modules, one in a hidden module, one module that does not import."""
    factory = "from readbench.api import suite\n\n@suite({name!r})\ndef made():\n    return None\n"
    folder = tmp_path / "walked_package"
    (folder / "inner").mkdir(parents=True)
    for path, text in {
        "__init__.py": "",
        "first.py": factory.format(name="walked-first"),
        "_hidden.py": factory.format(name="walked-hidden"),
        "broken.py": "raise OSError('no such\\nthing')",
        "inner/__init__.py": "",
        "inner/second.py": factory.format(name="walked-second"),
    }.items():
        (folder / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "walked_package"]:
        del sys.modules[name]


def found(monkeypatch: pytest.MonkeyPatch, *values: str) -> Registry:
    """What a registry finds where those are the entry points."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: [EntryPoint(value, value, group) for value in values])
    return registry.__wrapped__()


def test_of_a_package_every_module_is_searched_but_for_the_hidden_ones(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = found(monkeypatch, "walked_package", "walked_package.inner.second")
    assert list(searched.plugins("suite")) == ["walked-first", "walked-second"]
    assert [(broken.module, broken.reason) for broken in searched.broken] == [("walked_package.broken", "OSError: no such")]


def test_a_named_module_is_searched_alone_even_a_hidden_one(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(found(monkeypatch, "walked_package._hidden").plugins("suite")) == ["walked-hidden"]


def test_two_modules_of_a_package_may_not_register_one_name(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "third.py").write_text((package / "first.py").read_text())
    with pytest.raises(ConfigError, match="two plug-ins are suite 'walked-first'"):
        found(monkeypatch, "walked_package")
