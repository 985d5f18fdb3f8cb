"""Pilots on both sides: what a trial is told of them and pays for them, and how an untested trial, which a pilot is, differs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.api import Feedback, Pilot
from readbench.trials.environments.distillation import Distillation
from readbench.trials.spec import PilotConfig

Make = Callable[..., Distillation]
ALLOCATION = np.array([0.5, 0.25, 0.25])
ZEROS = np.zeros(3)
PILOTS = tuple(
    Pilot(
        allocation=ALLOCATION,
        tokens=tokens,
        profile_before=ZEROS,
        profile_after=ZEROS,
        exact_before=ZEROS,
        exact_after=ZEROS,
        soft_before=ZEROS,
        soft_after=ZEROS,
        utility_before=0.0,
        utility_after=0.0,
        soft_utility_before=0.0,
        soft_utility_after=0.0,
    )
    for tokens in (90, 110)
)


@pytest.mark.parametrize(
    ("pilots", "told", "budget"),
    [(None, (), 1000), (PilotConfig(), PILOTS, 1000), (PilotConfig(charged=True), PILOTS, 800)],
    ids=["does not use them", "uses them", "pays for them"],
)
def test_a_trial_is_told_of_pilots_and_pays_for_them_only_if_its_id_says_so(
    make: Make, pilots: PilotConfig | None, told: tuple[Pilot, ...], budget: int
) -> None:
    environment = make(told={"pilots": PILOTS}, pilots=pilots)
    assert (environment.problem.pilots, environment.problem.budget_tokens) == (told, budget)
    assert environment.begin()["tokens"]["pilot"] == 1000 - budget
    charged = sum(environment.step(ALLOCATION).feedback.tokens for _ in range(3))
    assert budget - 60 < charged <= budget


def test_pilot_trials_are_told_with_the_rewards_of_the_run_s_requirement(make: Make) -> None:
    """r = (0, 1, 0), β = 2 and 0.25 of the tokens' share, as in the suite: whatever the trials themselves were rewarded for."""
    after = np.array([0.5, 0.25, 0.0])
    played = Feedback(
        interval=0,
        allocation=ALLOCATION,
        tokens=200,
        profile_before=ZEROS,
        profile_after=after,
        train_loss=ZEROS,
        reward=9.0,
    )
    backwards = replace(played, profile_before=after, profile_after=ZEROS)
    told = {"profiling": ((played, backwards),), "requirement": np.array([0.0, 1.0, 0.0])}
    assert make(told=told).problem.profiling == ()  # its id does not say so
    ((first, second),) = make(told=told, profiling=PilotConfig()).problem.profiling
    assert first.reward == 0.25 - 0.25 * 200 / 1000
    assert second.reward == -0.25 - 2.0 * 0.25 - 0.25 * 200 / 1000
    assert make(told=told, profiling=PilotConfig()).problem.pilot_tokens == 400
    assert (first.tokens, first.profile_after.tolist()) == (200, after.tolist())


def test_the_beginning_of_a_longer_training_has_its_learning_rate_and_prompts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []
    environment = make(horizon=6)
    environment.begin()
    train = environment._student.train

    def spy(examples: Any, *, progress: tuple[float, float], **order: Any) -> Any:
        seen.append(progress)
        return train(examples, progress=progress, **order)

    monkeypatch.setattr(environment._student, "train", spy)
    charged = np.cumsum([environment.step(ALLOCATION).feedback.tokens for _ in range(3)])
    assert [end for _, end in seen] == pytest.approx((charged / 6000).tolist())
    assert environment._queue._mix == (0.1, 0.8, 0.1)  # of the first 30 %; alone, the last third would ask hard questions


def test_an_untested_student_is_neither_tested_nor_kept(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("readbench.trials.environments.distillation.evaluate", lambda *_, **__: pytest.fail("the test set was looked at"))
    environment = make(tested=False)
    environment.begin()
    outcome = environment.finish()
    outcome.save_student(tmp_path)
    assert (outcome.record, list(tmp_path.iterdir())) == ({}, [])
