from dataclasses import replace

import numpy as np
import pytest

from readbench import make_allocator
from readbench.api import Allocator, Observation, Problem, allocator
from readbench.base.errors import ConfigError
from readbench.base.plugins import make, registry, resolve_parameters

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
