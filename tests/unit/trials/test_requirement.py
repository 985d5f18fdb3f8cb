"""The requirement that pilots infer, from pilots whose truth is known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from readbench.api import Pilot
from readbench.base.errors import ConfigError
from readbench.trials.briefing import pilot_document, pilot_from
from readbench.trials.requirement.by_pilots import infer
from readbench.trials.requirement.choosing import used_requirement

Array = npt.NDArray[np.float64]
START = np.array([0.5, 0.6, 0.3, 0.8, 0.4])  # soft scores of the untrained student
STEPS = np.array([1.0, 2.0, 0.0, 1.0, 0.0])  # of a joint item
SHARES = np.array([0.5, 0.3, 0.0, 0.2, 0.0])  # of a mixture


def pilot(after: Array, utility: tuple[float, float], *, exact: Array | None = None) -> Pilot:
    zeros = np.zeros(len(after))
    return Pilot(
        allocation=np.ones(len(after)) / len(after),
        tokens=1000,
        profile_before=zeros,
        profile_after=zeros,
        exact_before=zeros,
        exact_after=np.full(len(after), 0.5) if exact is None else exact,
        soft_before=START[: len(after)],
        soft_after=after,
        utility_before=0.0,
        utility_after=0.0,
        soft_utility_before=utility[0],
        soft_utility_after=utility[1],
    )


def joint(scores: Array) -> float:
    return float(np.prod(scores**STEPS))


def mixture(scores: Array) -> float:
    return float(SHARES @ scores)


def trained(rng: np.random.Generator, count: int) -> list[Array]:
    """Soft scores after pilots that each raise one to three capabilities and let the others fall a little."""
    students = []
    for _ in range(count):
        change = rng.uniform(-0.05, 0.01, len(START))
        change[rng.choice(len(START), rng.integers(1, 4), replace=False)] += rng.uniform(0.02, 0.18)
        students.append(START + change)
    return students


def noisy(rng: np.random.Generator, students: Sequence[Array], noise: float) -> list[Pilot]:
    return [pilot(np.clip(s + noise * rng.standard_normal(len(s)), 0.01, 1), (joint(START), joint(s))) for s in students]


def test_a_joint_task_s_requirement_is_the_share_of_its_steps() -> None:
    pilots = [pilot(s, (joint(START), joint(s))) for s in trained(np.random.default_rng(1), 24)]
    inferred = infer(pilots, joint=True)
    assert inferred.weights == pytest.approx(STEPS / 4, abs=0.02)
    assert inferred.weights.sum() == pytest.approx(1)
    assert not inferred.vetoed.any()


def test_a_mixture_s_requirement_is_its_shares() -> None:
    pilots = [pilot(s, (mixture(START), mixture(s))) for s in trained(np.random.default_rng(1), 24)]
    assert infer(pilots, joint=False).weights == pytest.approx(SHARES, abs=0.02)


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


def test_the_intervals_cover_the_truth() -> None:
    truth, covered = STEPS / 4, []
    for rng in rngs(40):
        inferred = infer(noisy(rng, trained(rng, 24), 0.02), joint=True)
        covered.append((inferred.low - 0.01 <= truth) & (truth <= inferred.high + 0.01))
        assert (inferred.low <= inferred.high).all()
        assert (inferred.standard_error >= 0).all()
    assert np.mean(covered) >= 0.9


def test_what_no_pilot_brought_to_a_right_answer_is_vetoed() -> None:
    exact = np.array([0.5, 0.02, 0.5, 0.5, 0.5])  # two steps of the item, but only their form was learned
    pilots = [pilot(s, (joint(START), joint(s)), exact=exact) for s in trained(np.random.default_rng(1), 24)]
    inferred = infer(pilots, joint=True)
    assert inferred.vetoed.tolist() == [False, True, False, False, False]
    assert inferred.weights == pytest.approx([0.5, 0, 0, 0.5, 0], abs=0.03)


def test_the_same_pilots_give_the_same_answer() -> None:
    pilots = noisy(np.random.default_rng(3), trained(np.random.default_rng(4), 24), 0.02)
    first, second = infer(pilots, joint=True), infer([pilot_from(pilot_document(each)) for each in pilots], joint=True)
    for name in ("weights", "standard_error", "low", "high", "vetoed"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


@pytest.mark.parametrize("is_joint", [True, False])
def test_pilots_that_say_nothing_are_refused(is_joint: bool) -> None:
    still = [pilot(START.copy(), (0.2, 0.2)) for _ in range(6)]
    with pytest.raises(ConfigError, match="the pilots say nothing about the requirement"):
        infer(still, joint=is_joint)
    zero = [pilot(s, (0.0, 0.0)) for s in trained(np.random.default_rng(0), 6)]
    with pytest.raises(ConfigError, match="the pilots say nothing"):
        infer(zero, joint=is_joint)


def test_the_card_is_taken_as_it_is() -> None:
    assert used_requirement("card", [0.25, 0.75], pilots=[], identified=None, joint=True).tolist() == [0.25, 0.75]
