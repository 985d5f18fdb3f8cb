"""`horizon`: what it infers from pilots, and what it plans."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from readbench.allocators.horizon.curves import PRIOR_GAIN, level
from readbench.allocators.horizon.learned import Chains, chains_from, gains_from
from readbench.allocators.horizon.planning import horizon
from readbench.api import Chain, Feedback, Observation, Pilot, Problem, Vector
from readbench.base.errors import ConfigError

K, T, BUDGET = 5, 12, 120_000
START = np.array([0.5, 0.6, 0.3, 0.02, 0.4])
HALVES = (Chain(steps=(0, 1), share=0.5), Chain(steps=(2, 4), share=0.5))
PAIR, TRIPLE = Chain(steps=(0, 1), share=0.7), Chain(steps=(2, 2, 4), share=0.3)


def made_pilots(chains: tuple[Chain, ...], count: int = 24) -> tuple[Pilot, ...]:
    """Pilots whose soft utility is exactly that of the chains; capability 3 never turns right."""
    rng = np.random.default_rng(0)

    def utility(soft: Vector) -> float:
        return float(sum(chain.share * np.prod(soft[list(chain.steps)]) for chain in chains))

    pilots = []
    for _ in range(count):
        allocation = rng.dirichlet(np.full(K, 0.4))
        soft = np.clip(START + 0.5 * allocation * (1 - START) + rng.normal(0, 0.02, K), 0.01, 0.99)
        exact = np.where(np.arange(K) == 3, 0.0, START**2 + 0.3 * allocation)
        pilots.append(
            Pilot(
                allocation=allocation,
                tokens=20_000,
                profile_before=START**2,
                profile_after=soft**2,
                exact_before=np.where(np.arange(K) == 3, 0.0, START**2),
                exact_after=exact,
                soft_before=START,
                soft_after=soft,
                utility_before=0.1,
                utility_after=0.1,
                soft_utility_before=utility(START),
                soft_utility_after=utility(soft),
            )
        )
    return tuple(pilots)


def problem(**changed: object) -> Problem:
    made = Problem(
        capabilities=tuple(f"c{i}" for i in range(K)),
        requirement=np.array([0.35, 0.35, 0.2, 0.0, 0.1]),
        teacher_profile=None,
        budget_tokens=BUDGET,
        num_intervals=T,
        composition=(PAIR, TRIPLE),
        learning_rate=np.linspace(1.0, 0.1, T),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def observe(score: npt.ArrayLike, *, interval: int = 0) -> Observation:
    profile = np.array(score, dtype=np.float64)
    return Observation(interval=interval, profile=profile, exact=profile, budget_left=1.0 - interval / T)


def feedback(allocation: Vector, before: Vector, after: Vector, *, interval: int = 0, tokens: int = 10_000) -> Feedback:
    return Feedback(
        interval=interval,
        allocation=allocation,
        tokens=tokens,
        profile_before=before,
        profile_after=after,
        train_loss=np.full(K, np.nan),
        reward=0.0,
        exact_before=before,
        exact_after=after,
    )


def test_the_chains_are_those_that_made_the_soft_utility() -> None:
    found = chains_from(made_pilots(HALVES), problem().requirement)
    likely = np.argsort(-found.shares)[:2]
    assert sorted(map(tuple, found.exponents[likely])) == sorted(map(tuple, Chains.stated(HALVES, K).exponents))
    assert found.shares[likely].tolist() == pytest.approx([0.5, 0.5], abs=0.1)
    assert found.shares.sum() == pytest.approx(1.0)


def test_one_chain_needs_no_second_one() -> None:
    found = chains_from(made_pilots((PAIR,)), problem().requirement)
    assert not found.exponents[:, 2:].any()
    assert found.exponents[np.argmax(found.shares)].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_of_many_capabilities_chains_are_sought_in_the_eight_most_required() -> None:
    pilots = [replace(pilot, **{f"soft_{when}": np.tile(getattr(pilot, f"soft_{when}"), 4) for when in ("before", "after")})
              for pilot in made_pilots((PAIR,))]  # fmt: skip
    requirement = np.linspace(0, 1, 4 * K) / np.linspace(0, 1, 4 * K).sum()
    assert not chains_from(pilots, requirement).exponents[:, : 4 * K - 8].any()


def test_gains_are_raised_by_pilots_and_never_lowered() -> None:
    gains = gains_from(made_pilots((PAIR,)), BUDGET)
    assert (gains >= PRIOR_GAIN).all()
    assert gains[3] == PRIOR_GAIN  # nothing it was fed came out right
    assert gains[0] > PRIOR_GAIN


def test_r_alone_is_one_product() -> None:
    chains = Chains.product(np.array([0.5, 0.25, 0.25, 0.0]))
    assert chains.exponents.tolist() == [[1.5, 0.75, 0.75, 0.0]]


def test_it_feeds_what_the_items_need_and_most_what_lies_behind() -> None:
    single = problem(composition=(Chain(steps=(0, 1), share=1.0),))
    proposal = horizon(single, 0).propose(observe([0.9, 0.3, 0.1, 0.1, 0.1]))
    assert proposal[1] > 2 * proposal[0] > 0
    assert proposal[2:].tolist() == pytest.approx([0.02 / 3] * 3)  # what no item needs is kept alive, no more
    assert horizon(single, 0, upkeep=0.0).propose(observe([0.9, 0.3, 0.1, 0.1, 0.1]))[2:].tolist() == [0.0, 0.0, 0.0]
    assert proposal.sum() == pytest.approx(1.0, abs=1e-12)


def test_what_is_nearly_there_is_kept_alive_at_the_end() -> None:
    """What is not fed is forgotten, so the last plan gives more to what is there already than the first one does."""
    rule = horizon(problem(composition=(Chain(steps=(0, 1), share=1.0),)), 0)
    score = np.array([0.9, 0.3, 0.1, 0.1, 0.1])
    first = rule.propose(observe(score))
    for interval in range(T - 1):
        rule.update(feedback(np.eye(K)[1], score, score, interval=interval))
    last = rule.propose(observe(score, interval=T - 1))
    assert (last[0] - 0.015) / 0.7 > first[0]  # without the part of the last allocation and the replay


def test_a_gain_follows_what_was_won_within_its_range() -> None:
    def gain_after(won: float, intervals: int) -> float:
        rule = horizon(problem(), 0)
        before = np.full(K, 0.3)
        rule.propose(observe(before))
        for interval in range(intervals):
            rule.update(feedback(np.eye(K)[0], before, before + won * np.eye(K)[0], interval=interval))
        return float(rule.gains()[0])

    assert gain_after(0.0, 0) == pytest.approx(PRIOR_GAIN)
    assert gain_after(0.3, 1) > PRIOR_GAIN > gain_after(-0.1, 1)
    assert (gain_after(0.65, 12), gain_after(-0.29, 12)) == (2.5 * PRIOR_GAIN, 0.5 * PRIOR_GAIN)


def test_an_interval_that_bought_nothing_teaches_nothing() -> None:
    rule = horizon(problem(), 0)
    rule.propose(observe(START))
    state = rule.state()
    rule.update(feedback(np.zeros(K), START, np.ones(K), tokens=0))
    assert rule.state() == state


def test_without_composition_it_uses_pilots_and_without_both_the_product() -> None:
    pilots = made_pilots(HALVES)
    told, inferred = (horizon(problem(pilots=pilots, composition=composition), 0).propose(observe(START)) for composition in (HALVES, None))
    product = horizon(problem(composition=None), 0, upkeep=0.0).propose(observe(START))
    assert np.abs(told - inferred).max() < 0.1
    assert (product > 0).tolist() == [True, True, True, False, True]


def test_levels_follow_exact_match_and_whole_answers() -> None:
    low, high = level(np.array([0.0, 0.5]), np.array([0.0, 0.5])), level(np.array([0.2, 1.0]), np.array([0.1, 1.0]))
    assert (low < high).all()
    assert (level(np.zeros(1), np.zeros(1)) > 0).all()
    assert (level(np.ones(1), np.ones(1)) < 1).all()


def test_a_gain_must_be_one() -> None:
    with pytest.raises(ConfigError, match="gain must be between"):
        horizon(problem(), 0, gain=0.0)


@pytest.mark.parametrize("upkeep", [-0.1, 0.6, float("nan")])
def test_the_upkeep_is_a_share(upkeep: float) -> None:
    with pytest.raises(ConfigError, match=r"upkeep is a share of the tokens, between 0 and 0\.5"):
        horizon(problem(), 0, upkeep=upkeep)


def test_it_explains_its_plan_beside_w_equal_r() -> None:
    rule = horizon(problem(), 0)
    assert rule.explain() is None
    proposal = rule.propose(observe(START))
    explained = rule.explain()
    assert explained is not None
    assert explained.labels == ("plan", "plan for chain 1", "plan for chain 2", "w = r")
    assert explained.candidates[-1].tolist() == problem().requirement.tolist()
    assert explained.predicted[explained.chosen] == max(explained.predicted)
    chosen = explained.candidates[explained.chosen]
    replayed = 0.03 * np.array([0.25, 0.25, 0.25, 0.0, 0.25]) + 0.02 * np.array([0, 0, 0, 1, 0])
    assert np.abs(0.95 * chosen + replayed - proposal).max() < 1e-12
    assert explained.scores is not None
    for scores, utility in zip(explained.scores, explained.predicted, strict=True):
        assert utility == pytest.approx(0.7 * scores[0] * scores[1] + 0.3 * scores[2] ** 2 * scores[4])
