"""The conformance kit catches every broken rule."""

import random
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from readbench.testing import RULES, check_allocator
from support import broken_allocators, broken_states
from support.broken_allocators import Sound

BROKEN: list[tuple[str, Callable[..., object]]] = [
    ("factory", broken_allocators.NoRestore),
    ("factory", broken_allocators.NoSingleCapability),
    ("simplex", broken_allocators.NotNormalised),
    ("simplex", broken_allocators.Negative),
    ("simplex", broken_allocators.SinglePrecision),
    ("simplex", broken_allocators.AList),
    ("simplex", broken_allocators.DividesByTheRoom),
    ("simplex", broken_allocators.TrustsTheLoss),
    ("finite", broken_allocators.NeedsATeacher),
    ("finite", broken_allocators.DividesByTheRewardsSpread),
    ("finite", broken_allocators.NeedsWritableArrays),
    ("inputs", broken_allocators.ChangesTheProfile),
    ("inputs", broken_allocators.ChangesTheFeedback),
    ("inputs", broken_allocators.ChangesTheRequirement),
    ("own array", broken_allocators.ReusesItsArray),
    ("determinism", broken_allocators.Unseeded),
    ("determinism", broken_allocators.SeededByAddress),
    ("clock", broken_allocators.SeededByTheDay),
    ("instances", broken_allocators.SharesItsMemory),
    ("names", broken_allocators.LovesMath),
    ("names", broken_allocators.SortsByName),
    ("global random state", broken_allocators.DrawsFromRandom),
    ("global random state", broken_allocators.SeedsNumpy),
    ("global random state", broken_allocators.DrawsFromTorch),
    ("explain", broken_allocators.ExplainsWithoutNumbers),
    ("explain", broken_allocators.ExplainsAnother),
    ("explain", broken_allocators.LearnsFromExplaining),
    ("state", broken_states.TextState),
    ("state", broken_states.StateMoves),
    ("restore", broken_states.ForgetsItsGains),
    ("restore", broken_states.ForgetsItsSeed),
    ("restore", broken_states.SettlesTiesByItsFirstSeed),
    ("restore", broken_states.RoundsItsState),
    ("restore", broken_states.KeepsItsPast),
    ("restore", broken_states.RefusesItsOwnState),
    ("garbage", broken_states.TakesAnything),
    ("garbage", broken_states.TakesALongState),
    ("garbage", broken_states.FailsOtherwise),
    ("equivariance", broken_allocators.PrefersTheFirst),
]


@pytest.mark.parametrize(("rule", "factory"), BROKEN, ids=[factory.__name__ for _, factory in BROKEN])
def test_a_broken_allocator_is_caught_by_the_rule_it_breaks(rule: str, factory: Callable[..., object]) -> None:
    with pytest.raises(AssertionError, match=f"^{rule}: "):
        check_allocator(factory, equivariant=rule == "equivariance")  # type: ignore[arg-type]


def test_every_rule_is_broken_by_one_of_them() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_a_sound_learner_passes() -> None:
    check_allocator(Sound)


def test_the_kit_leaves_the_global_generators_and_the_clock_alone() -> None:
    random.seed(5)
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), time.time  # type: ignore[index]  # noqa: NPY002
    check_allocator(Sound)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), time.time  # type: ignore[index]  # noqa: NPY002
    assert before == after


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(AssertionError, match=r"factory: .*unifrom.*uniform"):
        check_allocator("unifrom")


def test_parameters_reach_the_factory() -> None:
    with pytest.raises(AssertionError, match=r"factory: .*floor"):
        check_allocator("gap", params={"floor": 2.0})
