"""ReAD and greedy: A(τ), the warm-up, κ, exact states, and that the bandit sees the action."""

import base64
import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readbench._core import EnsembleBandit
from readbench.allocators.grid import grid
from readbench.allocators.mixes import distinct, fixed_candidates, perturbations, top_required, warmup_plan
from readbench.allocators.read import greedy, read, read_cold
from readbench.api import Allocator, Feedback, Observation, Problem
from readbench.base.errors import ConfigError

Doubles = npt.NDArray[np.float64]
REQUIREMENT = np.array([0.0, 0.5, 0.2, 0.0, 0.3])


def problem(requirement: Doubles = REQUIREMENT, *, num_intervals: int = 12, budget_tokens: int = 120_000) -> Problem:
    names = tuple(f"c{i}" for i in range(len(requirement)))
    return Problem(
        capabilities=names, requirement=requirement, teacher_profile=None, budget_tokens=budget_tokens, num_intervals=num_intervals
    )


class World:
    """A student whose profile moves with the allocation: gain on what is fed, loss on what is not, some noise."""

    def __init__(self, size: int, seed: int, *, reward_scale: float = 1.0, reward_shift: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.rate = self.rng.uniform(0.0, 0.3, size)
        self.profile = self.rng.uniform(0.1, 0.5, size)
        self.scale, self.shift = reward_scale, reward_shift
        self.recent: tuple[Feedback, ...] = ()

    def observation(self, interval: int, num_intervals: int) -> Observation:
        return Observation(interval=interval, profile=self.profile, budget_left=1.0 - interval / num_intervals, recent=self.recent[-8:])

    def feedback(self, interval: int, allocation: Doubles, requirement: Doubles) -> Feedback:
        before = self.profile
        noise = self.rng.normal(0.0, 0.005, len(before))
        self.profile = np.clip(before + self.rate * allocation * (1.0 - before) - 0.02 * (1.0 - allocation) * before + noise, 0.0, 1.0)
        change = self.profile - before
        reward = requirement @ change - 0.5 * requirement @ np.maximum(-change, 0.0)
        feedback = Feedback(
            interval=interval,
            allocation=allocation,
            tokens=10_000,
            profile_before=before,
            profile_after=self.profile,
            train_loss=np.full(len(before), np.nan),
            reward=float(reward * self.scale + self.shift),
        )
        self.recent = (*self.recent, feedback)
        return feedback


def play(allocator: Allocator, world: World, task: Problem, start: int = 0, stop: int | None = None) -> list[Doubles]:
    proposals = []
    for interval in range(start, task.num_intervals if stop is None else stop):
        proposals.append(allocator.propose(world.observation(interval, task.num_intervals)))
        allocator.update(world.feedback(interval, proposals[-1], task.requirement))
    return proposals


@settings(max_examples=25)
@given(
    size=st.sampled_from([1, 2, 3, 8, 64]),
    seed=st.integers(0, 2**64 - 1),
    top_k=st.integers(1, 8),
    sparse=st.booleans(),
    extreme=st.sampled_from([0.0, 1.0, None]),
)
def test_proposals_are_on_the_simplex_for_any_profile(size: int, seed: int, top_k: int, sparse: bool, extreme: float | None) -> None:
    rng = np.random.default_rng(seed % 2**32)
    requirement = rng.dirichlet(np.ones(size))
    if sparse:
        requirement = np.where(requirement >= np.median(requirement), requirement, 0.0)
        requirement /= requirement.sum()
    task, world = problem(requirement, num_intervals=5), World(size, 0)
    if extreme is not None:
        world.profile = np.full(size, extreme)
    for allocation in play(read(task, seed, top_k=top_k), world, task):
        assert allocation.shape == (size,)
        assert np.isfinite(allocation).all()
        assert (allocation >= 0.0).all()
        assert abs(allocation.sum() - 1.0) < 1e-9


def test_the_fixed_candidates_mix_only_what_is_required() -> None:
    candidates = fixed_candidates(REQUIREMENT, 3)
    assert top_required(REQUIREMENT, 3) == [1, 4, 2]
    assert top_required(REQUIREMENT, 2) == [1, 4]
    assert top_required(np.array([0.0, 1.0, 0.0]), 3) == [1]  # not the first names of the list
    assert len(candidates) == 2 + 3 + 3 * 3 + 3  # r, uniform, one-hots, pairs, triples
    np.testing.assert_allclose(candidates[0], REQUIREMENT)
    np.testing.assert_allclose(candidates[1], 0.2)
    assert (candidates[2:, [0, 3]] == 0.0).all()
    assert len(distinct(candidates)) == len(candidates)
    assert len(fixed_candidates(np.array([1.0]), 3)) == 1
    assert len(fixed_candidates(np.full(64, 1 / 64), 8)) == 1 + 8 + 28 * 3 + 56 * 3


def test_perturbations_move_little_and_stay_on_the_simplex() -> None:
    previous = np.array([0.0, 0.95, 0.05, 0.0, 0.0])
    rows = perturbations(previous, REQUIREMENT, 3)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0)
    assert (rows >= 0.0).all()
    assert np.abs(rows - previous).sum(axis=1).max() <= 0.4
    assert any(row[0] > 0.0 for row in rows)  # a little of everything else


@pytest.mark.parametrize("length", [1, 4, 30])
def test_the_warm_up_tries_every_required_capability(length: int) -> None:
    plan = warmup_plan(REQUIREMENT, 3, length, seed=0)
    np.testing.assert_allclose(plan[0], REQUIREMENT)
    assert plan.shape == (length, 5)
    assert ((plan > 0.0).any(axis=0) >= (REQUIREMENT > 0.0)).all()
    if length == 4:
        np.testing.assert_allclose(plan[1:, [1, 4, 2]], [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    if length == 30:
        assert not np.array_equal(plan, warmup_plan(REQUIREMENT, 3, length, seed=1))


def test_a_warm_up_that_eats_half_of_the_trial_is_refused() -> None:
    for num_intervals, warmup in ((12, 6), (12, 40), (12, -1), (2, 0), (1, 0)):
        with pytest.raises(ConfigError, match="warmup"):
            read(problem(num_intervals=num_intervals), 0, warmup=warmup)
    read(problem(num_intervals=12), 0, warmup=5)
    greedy(problem(num_intervals=3), 0)


@pytest.mark.parametrize(
    "setting", [{"kappa": -1.0}, {"kappa": float("nan")}, {"kappa_decay": 1.5}, {"top_k": 0}, {"checkpoint": 0}, {"num_members": 1}]
)
def test_a_setting_out_of_range_is_named(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        read(problem(), 0, **setting)  # type: ignore[arg-type]


def test_one_seed_gives_one_sequence_whatever_the_names_the_budget_and_the_global_generator() -> None:
    task = problem()
    np.random.seed(0)  # noqa: NPY002
    first = play(read(task, 7), World(5, 1), task)
    np.random.seed(1)  # noqa: NPY002
    renamed = dataclasses.replace(task, capabilities=("e", "d", "c", "b", "a"), budget_tokens=1_000_000)
    np.testing.assert_array_equal(play(read(renamed, 7), World(5, 1), renamed), first)
    assert not np.array_equal(play(read(task, 8), World(5, 1), task), first)


@pytest.mark.parametrize("stop", [0, 1, 3, 8])
def test_a_restored_allocator_goes_on_with_the_same_bits(stop: int) -> None:
    task, world, twin = problem(), World(5, 2), World(5, 2)
    whole = play(read(task, 7), world, task)
    first = read(task, 7)
    before = play(first, twin, task, stop=stop)
    second = read(task, 99)
    second.restore(first.state())
    assert second.state() == first.state()
    after = play(second, twin, task, start=stop)
    np.testing.assert_array_equal(before[3:] + after[max(0, 3 - stop) :], whole[3:])  # the plan of the warm-up is the seed's


def test_a_state_taken_between_propose_and_update_holds_the_context() -> None:
    task, world = problem(), World(5, 2)
    first, second = read(task, 7), read(task, 7)
    allocation = first.propose(world.observation(0, 12))
    second.restore(first.state())
    feedback = world.feedback(0, allocation, task.requirement)
    for allocator in (first, second):
        allocator.update(feedback)
    assert second.state() == first.state()


def test_bytes_that_are_no_state_are_refused_and_change_nothing() -> None:
    task = problem()
    allocator = read(task, 7)
    play(allocator, World(5, 2), task, stop=4)
    before = allocator.state()
    fields = json.loads(before)
    other = read(problem(np.array([0.5, 0.5])), 7).state()
    flipped = fields["bandit"][:40] + ("A" if fields["bandit"][40] != "A" else "B") + fields["bandit"][41:]
    wrong: list[object] = [[], {}, {**fields, "version": 1}, {**fields, "kappa": None}, {**fields, "bandit": flipped}]
    wrong += [{**fields, "context": [0.5]}]
    for state in (b"", b"\xff\x00", before[:-5], other, *(json.dumps(each).encode() for each in wrong)):
        with pytest.raises(ValueError, match="not a state"):
            allocator.restore(state)
    assert allocator.state() == before


def test_an_interval_that_bought_nothing_teaches_nothing() -> None:
    task, world = problem(), World(5, 2)
    allocator = read(task, 0)
    feedback = world.feedback(0, allocator.propose(world.observation(0, 12)), task.requirement)
    allocator.update(dataclasses.replace(feedback, allocation=np.zeros(5), tokens=0, reward=0.0))
    assert json.loads(allocator.state())["bandit"] == json.loads(read(task, 0).state())["bandit"]
    with pytest.raises(ValueError, match="update comes after propose"):
        allocator.update(feedback)


def test_a_reward_that_is_not_finite_never_enters() -> None:
    task, world = problem(), World(5, 2)
    allocator = read(task, 0)
    feedback = world.feedback(0, allocator.propose(world.observation(0, 12)), task.requirement)
    with pytest.raises(ValueError, match="finite"):
        allocator.update(dataclasses.replace(feedback, reward=float("nan")))


def test_an_affine_map_of_the_reward_changes_no_choice() -> None:
    task = problem()
    plain = play(read(task, 7), World(5, 3), task)
    np.testing.assert_array_equal(play(read(task, 7), World(5, 3, reward_scale=8.0), task), plain)
    np.testing.assert_allclose(play(read(task, 7), World(5, 3, reward_scale=3.0, reward_shift=0.5), task), plain)


def test_greedy_is_read_without_the_bonus() -> None:
    task = problem()
    np.testing.assert_array_equal(play(greedy(task, 7), World(5, 3), task), play(read(task, 7, kappa=0.0), World(5, 3), task))
    assert not np.array_equal(play(greedy(task, 7), World(5, 3), task), play(read(task, 7, kappa=3.0), World(5, 3), task))


def test_all_inputs_of_the_bandit_lie_in_the_unit_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Doubles] = []

    class Recorder:
        def __init__(self, num_inputs: int, *, seed: int, num_members: int) -> None:
            self.bandit = EnsembleBandit(num_inputs, seed=seed, num_members=num_members)

        def add(self, inputs: Doubles, reward: float) -> None:
            seen.append(inputs[np.newaxis])
            self.bandit.add(inputs, reward)

        def select(self, candidates: Doubles, kappa: float) -> int:
            seen.append(candidates)
            return self.bandit.select(candidates, kappa)

    monkeypatch.setattr("readbench.allocators.read.EnsembleBandit", Recorder)
    task, world = problem(budget_tokens=1_000_000), World(5, 4)
    world.profile = np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    play(read(task, 0), world, task)
    inputs = np.concatenate(seen)
    assert inputs.shape[1] == 5 * 5 + 1
    assert inputs.min() >= 0.0
    assert inputs.max() <= 1.0


def test_the_bandit_is_not_blind_to_the_action() -> None:
    """Predicted and true values of all candidates correlate after a trial of random mixes (about 0 with raw token counts as inputs)."""
    task = problem()
    truth = np.array([0.0, 0.02, 0.06, 0.0, 0.04])  # reward per share
    candidates = fixed_candidates(REQUIREMENT, 3)
    correlations = []
    for seed in range(5):
        allocator, world, rng = read(task, seed), World(5, seed), np.random.default_rng(seed)
        for interval in range(24):
            observation = world.observation(min(interval, 11), 12)
            allocator.propose(observation)
            allocation = candidates[rng.integers(len(candidates))]
            feedback = world.feedback(interval, allocation, task.requirement)
            allocator.update(dataclasses.replace(feedback, reward=float(truth @ allocation + rng.normal(0.0, 0.002))))
        allocator.propose(world.observation(11, 12))
        state = json.loads(allocator.state())
        bandit, context = EnsembleBandit.from_bytes(base64.b64decode(state["bandit"])), np.array(state["context"])
        mean, _ = bandit.predict(np.concatenate([np.tile(context, (len(candidates), 1)), candidates], axis=1))
        correlations.append(np.corrcoef(mean, candidates @ truth)[0, 1])
    assert min(correlations) > 0.9


def trials_of(task: Problem, seeds: Sequence[int]) -> tuple[tuple[Feedback, ...], ...]:
    """Pilot trials: random mixes, from the first interval to the last."""
    made = []
    for seed in seeds:
        world, rng = World(len(task.requirement), seed), np.random.default_rng(seed)
        for interval in range(task.num_intervals):
            world.observation(interval, task.num_intervals)
            world.feedback(interval, rng.dirichlet(np.ones(len(task.requirement))), task.requirement)
        made.append(world.recent)
    return tuple(made)


def test_pilot_trials_enter_the_ensemble_before_the_first_decision() -> None:
    task = problem()
    warm = dataclasses.replace(task, profiling=trials_of(task, (11, 12, 13)))
    bandit = EnsembleBandit.from_bytes(base64.b64decode(json.loads(read(warm, 0).state())["bandit"]))
    assert bandit.num_observations == 36
    assert read(warm, 0).propose(World(5, 2).observation(0, 12)).tolist() != REQUIREMENT.tolist()  # no warm-up
    cold = read_cold(warm, 0)
    assert EnsembleBandit.from_bytes(base64.b64decode(json.loads(cold.state())["bandit"])).num_observations == 0
    assert cold.propose(World(5, 2).observation(0, 12)).tolist() == REQUIREMENT.tolist()


def test_grid_finds_the_mix_that_pilot_trials_show_to_be_best() -> None:
    """Rewards are the share of the last capability, so the best candidate is all of it."""
    task = problem()
    trials = tuple(
        tuple(dataclasses.replace(feedback, reward=float(feedback.allocation[4])) for feedback in trial)
        for trial in trials_of(task, range(6))
    )
    mix = grid(dataclasses.replace(task, profiling=trials), 0).propose(World(5, 2).observation(0, 12))
    assert mix.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert grid(task, 0).propose(World(5, 2).observation(0, 12)).tolist() == REQUIREMENT.tolist()
