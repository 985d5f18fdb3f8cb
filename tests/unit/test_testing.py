"""The conformance kit catches every broken rule."""

import random
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from readbench.testing import RULES, check_allocator
from support.broken_allocators import Sound


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
