"""What an interval leaves behind, by hand: three capabilities, three examples of 100 tokens together."""

import json
from dataclasses import replace

import numpy as np
import pytest

from readbench.api import Feedback, Question, Vector
from readbench.models.batches import Encoded
from readbench.suites.probes import DevScore, Profile
from readbench.suites.prompts import Slot
from readbench.suites.suite import RewardConfig
from readbench.trials.environments.supervision import Example
from readbench.trials.feedback import from_record, frozen, make_feedback, standard_error, standard_errors, to_record

REQUIREMENT = np.array([0.75, 0.25, 0.0])  # math, code, facts


def example(capability: int, *, generated: int, prompt: int, labels: int, right: bool = True) -> Example:
    slot, encoded = Slot(capability, 0, 0, Question(prompt="?", answer="!")), Encoded(tuple(range(prompt + labels)), prompt)
    return Example(
        slot=slot,
        encoded=encoded,
        generated_tokens=generated,
        trained_tokens=prompt + labels,
        scored_tokens=0,
        answer="?" * labels,
        right=right,
    )


EXAMPLES = [
    example(0, generated=10, prompt=6, labels=4),  # 20 tokens
    example(1, generated=20, prompt=12, labels=8),  # 40
    example(0, generated=30, prompt=5, labels=5),  # 40
]
DEV = DevScore(utility=0.4, exact=0.5, soft=0.6, tokens=90)
LOSSES = np.array([6.0, 4.0, 3.0])  # nats, summed over the labels of each
BEFORE = Profile.from_scores(
    [[0.5, 0.5], [0.25, 0.25], [0.75, 0.75]], exact_match=[0.0, 0.0, 0.0], soft=[0.5, 0.5, 0.5], loss=[0.7, 1.4, 0.3]
)
AFTER = Profile.from_scores(
    [[0.5, 0.625], [0.125, 0.125], [0.75, 0.75]], exact_match=[0.5, 0.0, 1.0], tokens=70, soft=[0.75, 0.5, 1.0], loss=[0.6, 2.1, 0.3]
)


def feedback_of(examples: list[Example], losses: Vector, *, budget_tokens: int = 400, **reward: float) -> Feedback:
    rewarded = RewardConfig(**reward)  # type: ignore[arg-type]
    return make_feedback(
        4, examples, losses, before=BEFORE, after=AFTER, requirement=REQUIREMENT, rewarded=rewarded, budget_tokens=budget_tokens
    )


def equal(one: Feedback, other: Feedback) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in Feedback.__dataclass_fields__)


def test_shares_are_of_the_charged_tokens_and_losses_are_of_a_label_token() -> None:
    feedback = feedback_of(EXAMPLES, LOSSES)
    assert feedback.interval == 4
    assert feedback.tokens == 100
    assert feedback.allocation.tolist() == [0.6, 0.4, 0.0]
    np.testing.assert_array_equal(feedback.train_loss, [9 / 9, 4 / 8, np.nan])  # nothing of the third was taught
    assert feedback.profile_before.tolist() == [0.5, 0.25, 0.75]
    assert feedback.profile_after.tolist() == [0.5625, 0.125, 0.75]


def test_a_single_label_token_has_a_loss() -> None:
    feedback = feedback_of([example(1, generated=1, prompt=3, labels=1)], np.array([0.75]))
    np.testing.assert_array_equal(feedback.train_loss, [np.nan, 0.75, np.nan])


def test_the_reward_is_the_suite_s() -> None:
    """r·Δs = 0.75·0.0625 − 0.25·0.125 = 1/64; Spill = 0.25·0.125 = 1/32 where code is among the top; 100 of 400 tokens."""
    assert feedback_of(EXAMPLES, LOSSES).reward == 1 / 64 - 0.5 / 32
    assert feedback_of(EXAMPLES, LOSSES, beta=2.0).reward == 1 / 64 - 2 / 32
    assert feedback_of(EXAMPLES, LOSSES, beta=2.0, top_k=1).reward == 1 / 64
    assert feedback_of(EXAMPLES, LOSSES, beta=0.0, cost=0.5).reward == 1 / 64 - 0.5 * 100 / 400
    assert feedback_of(EXAMPLES, LOSSES, beta=0.0, cost=0.5, budget_tokens=800).reward == 1 / 64 - 0.5 * 100 / 800


def test_an_interval_that_bought_nothing_has_no_share_no_loss_and_no_cost() -> None:
    feedback = feedback_of([], np.zeros(0), beta=0.0, cost=0.5)
    assert (feedback.tokens, feedback.allocation.tolist(), feedback.reward) == (0, [0.0, 0.0, 0.0], 1 / 64)
    assert np.isnan(feedback.train_loss).all()


def test_losses_that_are_not_one_an_example_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        feedback_of(EXAMPLES, LOSSES[:2])


@pytest.mark.parametrize(
    "name",
    ["allocation", "profile_before", "profile_after", "train_loss", "standard_error", "exact_before", "probe_loss_after", "examples"],
)
def test_an_allocator_cannot_change_what_it_is_shown(name: str) -> None:
    feedback = feedback_of(EXAMPLES, LOSSES)
    again = from_record(to_record(feedback, requested=np.ones(3) / 3, examples=EXAMPLES, figures={}, after=AFTER, dev=DEV, epsilon=0.01))
    for shown in (feedback, again):
        with pytest.raises(ValueError, match="read-only"):
            getattr(shown, name)[0] = 1.0


def test_what_is_shown_is_a_copy() -> None:
    ours = np.array([0.25, 0.75])
    shown = frozen(ours)
    ours[0] = 0.5
    assert shown.tolist() == [0.25, 0.75]


def test_the_standard_error_is_that_of_docs_metrics_md() -> None:
    """r = (0.6, 0.4) with se = (0.05, 0.10): √(0.03² + 0.04²). The sd of d ± a over n = 2 is a·√2, so the se is a; of ±a, ±a it is a/√3."""
    a = 0.1 * np.sqrt(3)
    before = Profile.from_scores([[0.2, 0.6], [0.5, 0.4, 0.5, 0.4]], exact_match=[0, 0], soft=[0, 0], loss=[0, 0])
    after = Profile.from_scores([[0.35, 0.65], [0.5 + a, 0.4 - a, 0.5 - a, 0.4 + a]], exact_match=[0, 0], soft=[0, 0], loss=[0, 0])
    errors = standard_errors(before, after)
    assert errors.tolist() == pytest.approx([0.05, 0.10])
    assert standard_error(errors, np.array([0.6, 0.4])) == pytest.approx(0.05)


def test_the_record_counts_verified_answers_and_shows_three_where_none_is() -> None:
    long = [example(1, generated=20, prompt=12, labels=length, right=False) for length in (300, 2, 3, 4)]
    examples = [EXAMPLES[0], example(0, generated=30, prompt=5, labels=5, right=False), *long]
    feedback = feedback_of(examples, np.ones(6))
    record = to_record(feedback, requested=np.ones(3) / 3, examples=examples, figures={}, after=AFTER, dev=DEV, epsilon=0.01)
    assert (record["examples"], record["verified"]) == ([2, 4, 0], [1, 0, 0])
    assert record["unverified"] == [[], ["?" * 200, "??", "???"], []]


def test_the_record_holds_the_interval_as_json_values() -> None:
    record = to_record(
        feedback_of(EXAMPLES, LOSSES),
        requested=np.array([0.5, 0.25, 0.25]),
        examples=EXAMPLES,
        figures={},
        after=AFTER,
        dev=DEV,
        epsilon=0.01,
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == {
        "interval": 4,
        "requested": [0.5, 0.25, 0.25],
        "allocation": [0.6, 0.4, 0.0],
        "charged": 100,
        "tokens": {"generated": 60, "trained": 40, "scored": 0, "rollout": 0, "probe": 70, "dev": 90},
        "examples": [2, 1, 0],
        "verified": [2, 1, 0],
        "unverified": [[], [], []],
        "profile_before": [0.5, 0.25, 0.75],
        "exact_match_before": [0.0, 0.0, 0.0],
        "loss_before": [0.7, 1.4, 0.3],
        "standard_error": [pytest.approx(0.0625), 0.0, 0.0],
        "profile": [0.5625, 0.125, 0.75],
        "exact_match": [0.5, 0.0, 1.0],
        "soft": [0.75, 0.5, 1.0],
        "loss": [0.6, 2.1, 0.3],
        "dev_utility": 0.4,
        "dev_exact": 0.5,
        "dev_soft": 0.6,
        "train_loss": [1.0, 0.5, None],
        "reward": 1 / 64 - 0.5 / 32,
        "epsilon": 0.01,
    }


def test_a_recorded_interval_is_shown_again_to_the_bit() -> None:
    for examples, losses in ((EXAMPLES, LOSSES / 7), ([], np.zeros(0))):
        feedback = replace(feedback_of(examples, losses), reward=1 / 3)
        record = to_record(feedback, requested=np.ones(3) / 3, examples=examples, figures={}, after=AFTER, dev=DEV, epsilon=0.01)
        assert equal(from_record(json.loads(json.dumps(record))), feedback)
