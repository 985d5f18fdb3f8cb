"""The field's rules: their updates against traces of the public implementations, and by hand.

The numbers of a trace were printed by the published code, its update run alone on the same inputs; for `skill-it`, `aioli` and `doremi`,
whose update is a line within a training loop, by that line.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from readbench.api import Allocator, Feedback, Observation, Pilot, Problem, Vector
from readbench.base.plugins import make_allocator, registry
from readbench_baselines.peers import _transfer, ado, ads, aioli, doremi, dump, exp3s, odm, skill_it, tscl
from readbench_baselines.peers._peer import softmax, success_rate

PEERS = [
    "ado",
    "ads",
    "aioli",
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
]


def problem(requirement: Sequence[float] = (0.5, 0.3, 0.2), num_intervals: int = 12) -> Problem:
    return Problem(
        capabilities=tuple(f"c{i}" for i in range(len(requirement))),
        requirement=np.array(requirement),
        teacher_profile=np.full(len(requirement), 0.9),
        budget_tokens=1200,
        num_intervals=num_intervals,
        num_probes=40,
        teacher_loss=np.full(len(requirement), 0.1),
    )


def observe(interval: int = 0, profile: Sequence[float] = (0.3, 0.3, 0.3), exact: Sequence[float] = (0.1, 0.5, 0.9)) -> Observation:
    return Observation(interval=interval, profile=np.array(profile), budget_left=1.0, exact=np.array(exact))


def played(
    interval: int = 0,
    *,
    allocation: Sequence[float] = (0.5, 0.3, 0.2),
    before: Sequence[float] = (0.3, 0.3, 0.3),
    after: Sequence[float] = (0.3, 0.3, 0.3),
    train_loss: Sequence[float] = (1.0, 1.0, 1.0),
    loss_before: Sequence[float] = (1.0, 1.0, 1.0),
    loss_after: Sequence[float] = (1.0, 1.0, 1.0),
    exact: Sequence[float] = (0.1, 0.5, 0.9),
    tokens: int = 100,
) -> Feedback:
    return Feedback(
        interval=interval,
        allocation=np.array(allocation),
        tokens=tokens,
        profile_before=np.array(before),
        profile_after=np.array(after),
        train_loss=np.array(train_loss),
        reward=0.0,
        exact_before=np.array(exact),
        exact_after=np.array(exact),
        probe_loss_before=np.array(loss_before),
        probe_loss_after=np.array(loss_after),
        examples=50 * np.array(allocation),
    )


def after(allocator: Allocator, *feedback: Feedback) -> Vector:
    """What it proposes once it has seen the feedback."""
    for each in feedback:
        allocator.update(each)
    return allocator.propose(observe(len(feedback)))


# --- traces of the public implementations


def test_odm_updates_as_the_published_exp3() -> None:
    losses = [[0.3, 1.2, 2.5], [0.25, 1.0, 2.6], [0.2, 0.9, 2.2], [0.3, 0.7, 2.0], [0.1, 0.6, 1.9], [0.1, 0.5, 1.9]]
    rule = odm.odm(problem(), 0, prior="uniform", rounds=1)
    policies = [after(rule, played(t, train_loss=loss)) for t, loss in enumerate(losses)]
    np.testing.assert_allclose(policies[2], 1 / 3, atol=1e-12)  # exploration alone, for a while
    np.testing.assert_allclose(policies[3], [0.3226413640122264, 0.32899330102875, 0.34836533495902366], atol=1e-12)
    np.testing.assert_allclose(policies[5], [0.2997997815968385, 0.3180679452548131, 0.3821322731483484], atol=1e-12)


def test_dump_weighs_as_the_published_controller() -> None:
    weights = softmax(dump.bounds(np.array([0.6, 0.4 / 3, 0.925]), np.array([2.0, 3.0, 4.0])) / dump.TEMPERATURE)
    np.testing.assert_allclose(weights, [0.3873553901031082, 0.0006926471500766837, 0.6119519627468151], atol=1e-12)


SCORES = [[0.1, 0.5, 0.9], [0.2, 0.48, 0.9], [0.25, 0.5, 0.86], [0.35, 0.45, 0.85]]


@pytest.mark.parametrize(
    ("epsilon", "expected"), [(0.0, [0.92383594, 0.03241219, 0.04375188]), (0.1, [0.93333333, 0.03333333, 0.03333333])]
)
def test_tscl_follows_the_published_slopes_and_policies(epsilon: float, expected: list[float]) -> None:
    rule = tscl.tscl(problem(), 0, prior="uniform", temperature=0.02, epsilon=epsilon)
    np.testing.assert_allclose(after(rule, *(played(t, after=scores) for t, scores in enumerate(SCORES))), expected, atol=1e-8)


def test_tscl_forgets_what_is_older_than_its_window() -> None:
    rule = tscl.tscl(problem(), 0, prior="uniform", window=4)
    long_ago = [played(t, after=[0.9, 0.0, 0.1]) for t in range(5)]
    np.testing.assert_allclose(
        after(rule, *long_ago, *(played(t, after=scores) for t, scores in enumerate(SCORES))),
        [0.92383594, 0.03241219, 0.04375188],
        atol=1e-8,
    )


def test_skill_it_multiplies_as_published() -> None:
    graph = np.array([[1, 0.5, 0], [0, 1, 0.25], [0.1, 0, 1.0]])
    missing = np.array([[0.9, 0.8, 0.7], [0.8, 0.7, 0.7], [0.75, 0.7, 0.6]]).sum(axis=0)
    np.testing.assert_allclose(skill_it.multiplied(graph, missing, 0.5), [0.45987328, 0.30065126, 0.23947547], atol=1e-8)


def test_aioli_multiplies_as_published() -> None:
    effects = np.array([[0.05, -0.01, 0.0], [0.02, 0.08, 0.01], [-0.02, 0.0, 0.03]]).T  # there, a column is what was trained
    mix = aioli.multiplied(np.array([0.5, 0.3, 0.2]), effects, np.ones(3), 1.0)
    np.testing.assert_allclose(mix / mix.sum(), [0.49388583, 0.31428565, 0.19182853], atol=1e-8)


def test_doremi_reweighs_as_published() -> None:
    weight = np.array([0.2, 0.3, 0.5])
    for _ in range(2):
        weight = doremi.reweighed(weight, np.array([0.4, -0.1, 1.3]), 1.0, 1e-4)
    np.testing.assert_allclose(weight, [0.05957009, 0.04016064, 0.90026927], atol=1e-6)  # there in float32


def test_ads_steps_as_the_published_sampler() -> None:
    policy = np.full(3, 1 / 3)
    for rate in ([0.2, 0.5, 0.9], [0.3, 0.5, 0.95]):
        policy = ads.stepped(policy, np.array(rate), 0.3)
    np.testing.assert_allclose(policy, [0.2410119, 0.31467262, 0.44431548], atol=1e-8)


def test_ado_finds_the_law_and_weighs_its_slope_as_published() -> None:
    # The published selector was given the laws (A, E, α) = (2, .5, .4), (1.5, .2, .2), (3, 1, .6), three steps of 100, r and a history.
    # It proposed .9·r + .1·d, d its normalised and clipped slopes. Here the laws are fitted to the losses that they give.
    tokens = np.array([100.0, 200.0, 300.0])
    losses = np.array(
        [
            [0.8169786384922226, 0.7402248867962862, 0.704259137520027],
            [0.7971607558302458, 0.7198586323663598, 0.6793657577570913],
            [1.189287203344058, 1.124882981110281, 1.0979148362360978],
        ]
    )
    wanted = np.array([0.5, 0.3, 0.2]) * ado.slopes(tokens, losses.T) * np.sqrt([0.4, 0.4, 0.2])
    published = (np.array([0.50242648, 0.30691114, 0.19066238]) - 0.9 * np.array([0.5, 0.3, 0.2])) / 0.1
    np.testing.assert_allclose(ado.no_less(wanted / wanted.sum(), np.ones(3, dtype=bool)), published, atol=0.01)


def test_ado_sees_no_slope_where_the_loss_does_not_fall() -> None:
    losses = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 1.2], [1.0, 0.0, 1.4]])
    np.testing.assert_allclose(ado.slopes(np.array([1.0, 2.0, 3.0]), losses), 0.0, atol=0.01)


# --- by hand


def test_exp3s_rescales_progress_by_its_quantiles() -> None:
    known = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])  # 20 % at .1, 80 % at .4
    np.testing.assert_allclose(exp3s.rescaled(np.array([0.05, 0.1, 0.25, 0.4, 0.9]), known), [-1, -1, 0, 1, 1], atol=1e-12)
    assert exp3s.rescaled(np.array([0.1, 0.1]), np.array([0.1, 0.1])).tolist() == [0, 0]


def test_exp3s_shares_a_part_of_each_weight() -> None:
    # weights 1, 2, 3; a third of each goes to the other two, halved
    shared = np.exp(exp3s.shared(np.log(np.array([1.0, 2.0, 3.0])), 1 / 3))
    np.testing.assert_allclose(shared / shared.sum(), np.array([2 / 3 + 5 / 6, 4 / 3 + 4 / 6, 2 + 3 / 6]) / 6)


def test_exp3s_prefers_what_progressed() -> None:
    proposal = after(exp3s.exp3s(problem(), 0, prior="uniform"), *(played(t, after=[0.4, 0.3, 0.35]) for t in range(4)))
    assert proposal[0] > proposal[2] > proposal[1]


def test_dynamix_tilts_the_prior_to_relative_improvement() -> None:
    # improvements (.5, .25, 0)/1, by the largest: (1, .5, 0); the average .4 of it; then .7·softmax(ln r + 4·Q) + .1
    proposal = after(make_allocator("dynamix", problem()), played(loss_after=[0.5, 0.75, 1.0]))
    weights = np.array([0.5, 0.3, 0.2]) * np.exp(4 * 0.4 * np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(proposal, 0.7 * weights / weights.sum() + 0.1)


def test_the_transfer_of_random_mixes_is_found() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[0.3, 0.1, 0.0], [0.0, 0.2, -0.05], [0.05, 0.0, 0.4]])
    sums: dict[str, Vector] = _transfer.no_evidence(3)
    for _ in range(200):
        mix = rng.dirichlet(np.ones(3))
        _transfer.add(sums, played(allocation=mix.tolist(), before=[0, 0, 0], after=(mix @ truth).tolist()))
    np.testing.assert_allclose(_transfer.transfer(sums), truth, atol=0.01)


def test_one_mix_again_and_again_says_nothing_about_transfer() -> None:
    sums: dict[str, Vector] = _transfer.no_evidence(2)
    for _ in range(5):
        _transfer.add(sums, played(allocation=[0.5, 0.5], before=[0, 0], after=[0.2, 0.1]))
    np.testing.assert_allclose(_transfer.transfer(sums), [[0.4, 0.0], [0.0, 0.2]], atol=1e-12)


def test_skill_it_takes_its_graph_from_pilots() -> None:
    zeros = np.zeros(3)

    def pilot(mix: list[float], gain: list[float]) -> Pilot:
        return Pilot(
            allocation=np.array(mix),
            tokens=100,
            profile_before=zeros,
            profile_after=np.array(gain),
            exact_before=zeros,
            exact_after=zeros,
            soft_before=zeros,
            soft_after=zeros,
            utility_before=0.0,
            utility_after=0.0,
            soft_utility_before=0.0,
            soft_utility_after=0.0,
        )

    pilots = (pilot([1, 0, 0], [0.4, 0, 0]), pilot([0, 1, 0], [0.4, 0.4, 0]), pilot([0, 0, 1], [0, 0, 0.4]))
    told = make_allocator("skill-it-pilots", replace(problem((0.4, 0.3, 0.3)), pilots=pilots), prior="uniform").propose(observe())
    blind = make_allocator("skill-it-pilots", problem((0.4, 0.3, 0.3)), prior="uniform").propose(observe())
    np.testing.assert_allclose(blind, 1 / 3)  # equal profiles and no graph
    assert told[1] > told[0]  # the second skill also helps the first
    assert told[0] == pytest.approx(told[2])


def test_aioli_probes_the_most_needed_first_in_each_third_interval() -> None:
    rule = make_allocator("aioli", problem((0.2, 0.5, 0.3)))
    proposals = [rule.propose(observe(t)) for t in range(12)]
    np.testing.assert_allclose([proposals[t] for t in (2, 5, 8, 11)], np.full((4, 3), 0.125) + 0.625 * np.eye(3)[[1, 2, 0, 1]])
    np.testing.assert_allclose([proposals[t] for t in (0, 1, 3, 4)], [[0.2, 0.5, 0.3]] * 4)


def test_tac_raises_what_helps_the_others() -> None:
    rng = np.random.default_rng(1)
    rule = make_allocator("tac", problem((1 / 3, 1 / 3, 1 / 3)))
    truth = np.array([[0.2, 0.2, 0.2], [0.0, 0.2, 0.0], [0.0, 0.0, 0.2]])
    mixes = [rng.dirichlet(np.ones(3)) for _ in range(12)]
    proposal = after(rule, *(played(t, allocation=mix.tolist(), after=(0.3 + mix @ truth).tolist()) for t, mix in enumerate(mixes)))
    no_transfer = make_allocator("tac", problem((1 / 3, 1 / 3, 1 / 3)), alpha=0.0)
    assert (
        proposal[0]
        > after(no_transfer, *(played(t, allocation=m.tolist(), after=(0.3 + m @ truth).tolist()) for t, m in enumerate(mixes)))[0]
    )


def test_paced_prefers_what_is_half_right() -> None:
    rates = success_rate(np.array([0.1, 0.5, 0.9]), 40)
    np.testing.assert_allclose(rates, [5 / 42, 21 / 42, 37 / 42])
    weights = np.array([0.5, 0.3, 0.2]) * rates * (1 - rates)
    np.testing.assert_allclose(make_allocator("paced", problem()).propose(observe()), weights / weights.sum())


def test_gap_kl_alternates_its_gap_with_a_general_mix() -> None:
    rule = make_allocator("gap-kl", problem())
    np.testing.assert_allclose(rule.propose(observe()), 1 / 3)
    rule.update(played(loss_after=[0.3, 0.6, 0.05]))  # behind the teacher's .1 by .2, .5 and nothing
    for interval in (1, 2, 3):
        np.testing.assert_allclose(rule.propose(observe(interval)), np.array([0.1, 0.15, 0]) / 0.25)
    np.testing.assert_allclose(rule.propose(observe(4)), 1 / 3)


# --- all of them


@pytest.mark.parametrize("name", sorted(set(PEERS) - {"aioli", "doremi", "dynamix", "gap-kl"}))
def test_with_r_as_prior_nothing_goes_to_what_is_not_needed(name: str) -> None:
    needed = problem((0.6, 0.4, 0.0))
    moved = [played(t, after=[0.32, 0.35, 0.4], loss_after=[0.9, 0.8, 0.7]) for t in range(4)]
    assert after(make_allocator(name, needed), *moved)[2] == 0.0
    assert after(make_allocator(name, needed, prior="uniform"), *moved)[2] > 0.0


@pytest.mark.parametrize("name", PEERS)
def test_an_unknown_prior_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"prior is requirement or uniform, not 'r'"):
        make_allocator(name, problem(), prior="r")


@pytest.mark.parametrize("name", PEERS)
def test_an_interval_that_bought_nothing_changes_nothing(name: str) -> None:
    rule = make_allocator(name, problem())
    before = rule.state()
    rule.update(played(allocation=[0, 0, 0], tokens=0, train_loss=[np.nan] * 3))
    assert rule.state() == before
    rule.update(played(after=[0.5, 0.4, 0.2], loss_after=[0.5, 0.6, 1.0]))
    assert rule.state() != before or not json.loads(before).keys() - {"version"}


@pytest.mark.parametrize("name", ["doremi", "gap-kl"])
def test_a_teacher_without_losses_is_refused_in_one_line(name: str) -> None:
    rule = make_allocator(name, replace(problem(), teacher_loss=None))
    with pytest.raises(
        ValueError, match=rf"^{name} needs the teacher's loss on the probes of each capability, and it was not measured here$"
    ):
        rule.propose(observe())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ado", ["probe_loss_after"]),
        ("ads", ["exact_after"]),
        ("doremi", ["probe_loss_after"]),
        ("dump", ["examples"]),
        ("dynamix", ["probe_loss_before"]),
        ("gap-kl", ["probe_loss_after"]),
    ],
)
def test_feedback_without_the_figures_is_refused_in_one_line(name: str, fields: list[str]) -> None:
    rule = make_allocator(name, problem())
    with pytest.raises(ValueError, match=rf"^{name} needs .* of each capability, and it was not measured here$"):
        rule.update(replace(played(), **dict.fromkeys(fields, np.zeros(0))))


def test_every_peer_is_listed_here() -> None:
    found = {
        name
        for name, each in registry().plugins("allocator").items()
        if each.plugin.factory.__module__.startswith("readbench_baselines.peers")
    }
    assert found == set(PEERS)


def test_parameters_out_of_range_are_refused() -> None:
    for name, given in (("odm", {"rounds": 0}), ("tscl", {"window": 1}), ("doremi", {"epsilon": 0.0}), ("tac", {"temperature": 0.0})):
        with pytest.raises(ValueError, match="must be between"):
            make_allocator(name, problem(), **given)
