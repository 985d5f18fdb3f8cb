"""Every registered allocator, ours and the built-in ones, keeps the contract."""

import pytest

from readbench.base.plugins import registry
from readbench.testing import check_allocator

EQUIVARIANT_PEERS = {
    "ado",
    "ads",
    "doremi",
    "dump",
    "dynamix",
    "exp3s",
    "gap-kl",
    "odm",
    "paced",
    "skill-it",
    "skill-it-pilots",
    "tac",
    "tscl",
}
FIT_A_BANDIT = {"greedy", "read"}  # at every decision: eight of them show as much as twelve
NEED_A_TEACHER = {"doremi", "gap-kl"}
WITHOUT_LEARNING = {"gap", "one-hot", "per-capability", "task-static", "uniform"}
MISSION_SET = WITHOUT_LEARNING | {"greedy", "random", "read"}


def test_the_mission_set_is_registered() -> None:
    found = registry()
    assert not found.broken
    assert set(found.plugins("allocator")) >= MISSION_SET


@pytest.mark.parametrize("name", sorted(registry().plugins("allocator")))
def test_a_registered_allocator_keeps_the_contract(name: str) -> None:
    check_allocator(
        name,
        equivariant=name in WITHOUT_LEARNING | EQUIVARIANT_PEERS,
        needs_teacher=name in NEED_A_TEACHER,
        num_intervals=8 if name in FIT_A_BANDIT else 12,
    )


@pytest.mark.parametrize("floor", [0.0, 0.5, 1.0])
def test_gap_keeps_the_contract_at_any_floor(floor: float) -> None:
    check_allocator("gap", equivariant=True, params={"floor": floor})


def test_read_keeps_the_contract_in_a_warm_up_that_its_seed_shuffled() -> None:
    check_allocator("read-cold", params={"warmup": 3}, num_intervals=8)
