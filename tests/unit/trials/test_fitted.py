"""The fitted student: a known law is found from its trials, mixes that were left out are predicted, and its noise has the right size."""

from dataclasses import replace

import numpy as np
import pytest

from readbench.trials.environments.simulation.fitted import falls, learning_time, logits_of, scores_of
from readbench.trials.environments.simulation.fitting import fit, validate
from readbench.trials.environments.simulation.simulated import Simulated
from support import courses as made

KNOWN = made.problem()


def test_learning_time_follows_the_root_of_the_rate_and_sums_to_one() -> None:
    np.testing.assert_allclose(learning_time(np.array([1.0, 0.25, 0.04])), np.array([1, 0.5, 0.2]) / 1.7)
    np.testing.assert_allclose(falls(np.array([1.0, 0.25, 0.04])), [0, 0.75, 0.21])


def test_scores_and_logits_are_inverse_and_finite_at_the_ends() -> None:
    scores = np.array([0.0, 0.3, 1.0])
    assert np.isfinite(logits_of(scores)).all()
    np.testing.assert_allclose(scores_of(logits_of(scores)), scores, atol=1e-12)


def test_a_known_law_is_found_where_nothing_is_noisy() -> None:
    truth = made.quiet(made.known_student())
    student = fit(made.courses(truth, KNOWN, mixes=40, seeds=2), made.CHAINS)
    fresh = made.courses(truth, KNOWN, mixes=6, seeds=1, draw=99)
    for course in fresh:
        scores, utility = student.follow(course)
        np.testing.assert_allclose(scores, course.scores[1:], atol=0.04)
        assert utility == pytest.approx(course.utility, abs=0.04)


def test_the_names_of_the_mixes_change_no_bit() -> None:
    courses = made.courses(made.known_student(), KNOWN)
    renamed = [replace(course, mix=f"another {course.mix}") for course in courses]
    one, other = fit(courses, made.CHAINS), fit(renamed, made.CHAINS)
    for name in ("own", "transfer", "walk", "fluctuation", "value"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_mixes_left_out_are_predicted_and_ranked() -> None:
    validity = validate(made.courses(made.known_student(), KNOWN, mixes=16), made.CHAINS)
    assert validity.utility > 0.8
    assert validity.scores > 0.9
    assert validity.rank_correlation > 0.8
    assert list(validity.predicted) == [f"mix {n}" for n in range(16)]


def test_utilities_that_do_not_follow_the_scores_are_seen_through() -> None:
    rng = np.random.default_rng(5)
    courses = [replace(course, utility=float(rng.uniform())) for course in made.courses(made.known_student(), KNOWN)]
    assert validate(courses, made.CHAINS).utility < 0.3


def test_the_noise_between_seeds_is_as_large_as_it_was() -> None:
    truth = made.known_student()
    student = fit(made.courses(truth, KNOWN, mixes=16, seeds=12), made.CHAINS)
    plan = np.full((made.T, made.K), 1 / made.K)
    ends = [
        np.array([[*(c := made.course(each, plan, mix="m", seed=seed, known=KNOWN)).scores[-1], c.utility] for seed in range(300)]).std(
            axis=0
        )
        for each in (truth, student)
    ]
    np.testing.assert_allclose(ends[1], ends[0], rtol=0.4)


def test_more_intervals_are_the_same_training_cut_finer() -> None:
    student = made.quiet(made.known_student())
    fine = made.problem(num_intervals=24, learning_rate=np.repeat(made.RATES, 2))
    coarse, finer = (
        made.course(student, np.full((t, made.K), 1 / made.K), mix="m", seed=0, known=known) for t, known in ((12, KNOWN), (24, fine))
    )
    np.testing.assert_allclose(finer.scores[-1], coarse.scores[-1], atol=0.01)
    assert finer.utility == pytest.approx(coarse.utility, abs=0.01)


def test_trials_of_a_seed_share_their_noise_and_start_at_the_same_student() -> None:
    student = made.known_student()
    one, other = (Simulated(KNOWN, student, seed=3, dev_every=4, show_dev=False) for _ in range(2))
    for environment in (one, other):
        environment.step(np.full(made.K, 1 / made.K))
    np.testing.assert_array_equal(one.profiles, other.profiles)
    third = Simulated(KNOWN, student, seed=4, dev_every=4, show_dev=False)
    np.testing.assert_array_equal(third.profiles[0], one.profiles[0])
    third.step(np.full(made.K, 1 / made.K))
    assert not np.array_equal(third.profiles[1], one.profiles[1])


def test_a_simulated_trial_shows_what_a_real_one_shows() -> None:
    environment = Simulated(KNOWN, made.known_student(), seed=0, dev_every=4, show_dev=True)
    spent = 0
    for t in range(made.T):
        observation = environment.observe()
        assert (observation.dev_utility is not None) == (t % 4 == 0)
        assert len(observation.recent) == min(t, 8)
        feedback = environment.step(np.array([0.5, 0.5, 0.0, 0.0])).feedback
        np.testing.assert_array_equal(feedback.profile_before, observation.profile)
        np.testing.assert_array_equal(feedback.exact_before, observation.exact)
        assert np.isnan(feedback.train_loss).tolist() == [False, False, True, True]
        assert (40 * feedback.exact_after == np.round(40 * feedback.exact_after)).all()
        assert feedback.examples.tolist() == [10, 10, 0, 0]  # 500 tokens each, 50 an example
        spent += feedback.tokens
    assert spent == KNOWN.budget_tokens
    assert environment.observe().budget_left == 0.0
