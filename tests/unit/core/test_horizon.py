"""The planner in C++: its NumPy twin's plans, optimal splits by search, and what it refuses."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readbench._core import plan_horizon
from support.numpy_twins import HorizonTwin

Doubles = npt.NDArray[np.float64]
TIMES = {"left": 0.7, "late": 0.38, "decay": 0.15, "floor": 0.005}


def problem(num_capabilities: int, chains: int, seed: int, **changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(chains))
    exponents = rng.integers(0, 3, (chains, num_capabilities)).astype(np.float64)
    exponents[:, 0] += ~exponents.any(axis=1)
    made: dict[str, Any] = {
        "logits": rng.normal(-1, 2, num_capabilities),
        "recency": rng.dirichlet(np.ones(num_capabilities)),
        "gains": rng.uniform(1, 8, num_capabilities),
        "forgetting": rng.uniform(0.05, 0.4, num_capabilities),
        "shares": shares,
        "exponents": exponents,
        **TIMES,
    }
    return made | changed


def plans(given: dict[str, Any]) -> tuple[Doubles, Doubles, Doubles]:
    vectors = [given[name] for name in ("logits", "recency", "gains", "forgetting", "shares", "exponents")]
    return plan_horizon(*vectors, **{name: given[name] for name in TIMES})


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 10_000), st.floats(0.02, 1.0))
def test_its_plans_are_those_of_its_twin(num_capabilities: int, chains: int, seed: int, left: float) -> None:
    made = problem(num_capabilities, chains, seed, left=left)
    allocations, scores, utilities = plans(made)
    again = HorizonTwin(**made).plan()
    np.testing.assert_allclose(utilities, again[2], rtol=1e-6)
    np.testing.assert_allclose(scores, again[1], atol=2e-3)
    np.testing.assert_allclose(allocations, again[0], atol=0.05)  # a tie of two steps may fall the other way
    np.testing.assert_allclose(allocations.sum(axis=1), 1.0, atol=1e-12)
    assert (allocations >= 0).all()


def test_a_plan_is_as_good_as_the_best_of_a_fine_search() -> None:
    """One chain of two capabilities, one phase: the utility of every split in thousandths, by the learning curve itself."""
    made = problem(2, 1, 3, exponents=np.array([[1.0, 2.0]]), shares=np.ones(1), left=0.3)
    _, _, (utility,) = plans(made)
    kept, fresh = made["recency"] * np.exp(-0.3 / 0.15), 1 - np.exp(-0.3 / 0.15)
    splits = np.linspace(0, 1, 1001)
    best = 0.0
    for share in splits:
        w = np.array([share, 1 - share])
        old = made["forgetting"] * np.log((kept + fresh * w + 0.005) / (made["recency"] + 0.005))
        s = 1 / (1 + np.exp(-(made["logits"] + made["gains"] * 0.3 * w + old)))
        best = max(best, float(s[0] * s[1] ** 2))
    assert utility == pytest.approx(best, rel=1e-3)


def test_nothing_goes_to_what_no_item_needs() -> None:
    made = problem(4, 2, 0, exponents=np.array([[1.0, 1, 0, 0], [0, 1, 0, 0]]))
    allocations, _, _ = plans(made)
    assert (allocations[:, 2:] == 0).all()
    assert (allocations[:, 1] > 0).all()


def test_a_half_that_cannot_be_won_is_given_up() -> None:
    """Two chains of equal share: one nearly there, one far away that learns slowly."""
    made = problem(
        4,
        2,
        0,
        logits=np.array([0.0, 0.0, -6.0, -6.0]),
        gains=np.array([4.0, 4.0, 1.0, 1.0]),
        shares=np.array([0.5, 0.5]),
        exponents=np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]),
        left=1.0,
    )
    allocations, _, utilities = plans(made)
    assert allocations[int(np.argmax(utilities)), :2].sum() > 0.95


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"logits": np.zeros(3)}, "recency must have 3 values"),
        ({"logits": np.full(2, np.nan)}, "logits must be in"),
        ({"recency": np.array([0.5, 1.5])}, "recency must be in"),
        ({"gains": np.array([-1.0, 1.0])}, "gains must be in"),
        ({"shares": np.zeros(1)}, "shares must be in"),
        ({"exponents": np.zeros((1, 2))}, "every chain must ask for something"),
        ({"exponents": np.ones((2, 2))}, "exponents must have 2 values"),
        ({"exponents": np.ones(2)}, "exponents must have 2 dimensions"),
        ({"logits": np.zeros(2, dtype=np.float32)}, "logits must be float64"),
        ({"left": 0.0}, "left must be in"),
        ({"late": -0.1}, "late must be in"),
        ({"decay": 0.0}, "decay must be in"),
        ({"floor": float("nan")}, "floor must be in"),
        ({"logits": np.zeros(0), "recency": np.zeros(0), "gains": np.zeros(0), "forgetting": np.zeros(0)}, "must be in 1"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plans(problem(2, 1, 0, exponents=np.ones((1, 2))) | changed)
