"""The contract, checked by readbench's conformance kit, and what is special about this allocator."""

import numpy as np
from readbench_weakest.weakest import weakest

from readbench.api import Observation, Problem
from readbench.testing import check_allocator


def test_weakest_keeps_the_contract() -> None:
    check_allocator(weakest, params={"share": 0.3})


def test_weakest_feeds_the_weakest_of_what_is_needed() -> None:
    problem = Problem(
        capabilities=("a", "b", "c"),
        requirement=np.array([0.5, 0.5, 0.0]),
        teacher_profile=None,
        budget_tokens=1000,
        num_intervals=4,
    )
    seen = Observation(interval=0, profile=np.array([0.9, 0.4, 0.1]), budget_left=1.0)
    assert weakest(problem, 0, share=0.5).propose(seen).tolist() == [0.25, 0.75, 0.0]
