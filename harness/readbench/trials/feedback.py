"""An interval's outcome: the allocator's feedback, and all its figures as JSON values for the store.

Vectors are (K,) in suite order; N examples.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from readbench.api import Feedback, Vector
from readbench.suites.probes import DevScore, Profile
from readbench.suites.suite import RewardConfig
from readbench.trials.environments.base import ExampleRow
from readbench.trials.environments.supervision import Example
from readbench.trials.metrics import reward

SHOWN_ANSWERS, SHOWN_CHARACTERS = 3, 200  # of a capability whose answers never verify
NOT_MEASURED = {"dev_utility": None, "dev_exact": None, "dev_soft": None}


def frozen(vector: Vector) -> Vector:
    """A read-only copy: an allocator cannot change what it is shown."""
    copy = vector.copy()
    copy.setflags(write=False)
    return copy


def make_feedback(
    interval: int,
    examples: Sequence[Example],
    losses: Vector,
    *,
    before: Profile,
    after: Profile,
    requirement: Vector,
    rewarded: RewardConfig,
    budget_tokens: int,
) -> Feedback:
    """What the allocator learns; `losses` (N,) are the examples' losses summed over label tokens, in nats; 0 of one that was not taught."""
    num_capabilities = len(requirement)
    tokens, labels, summed, taught = np.zeros((4, num_capabilities))
    for example, loss in zip(examples, losses, strict=True):
        tokens[example.slot.capability] += example.cost
        labels[example.slot.capability] += example.encoded.label_count if example.trained_tokens else 0
        summed[example.slot.capability] += loss
        taught[example.slot.capability] += 1
    charged = int(tokens.sum())
    return Feedback(
        interval=interval,
        allocation=frozen(tokens / max(charged, 1)),
        tokens=charged,
        profile_before=frozen(before.score),
        profile_after=frozen(after.score),
        train_loss=frozen(np.divide(summed, labels, out=np.full(num_capabilities, np.nan), where=labels > 0)),
        standard_error=frozen(standard_errors(before, after)),
        exact_before=frozen(before.exact_match),
        exact_after=frozen(after.exact_match),
        probe_loss_before=frozen(before.loss),
        probe_loss_after=frozen(after.loss),
        examples=frozen(taught),
        reward=interval_reward(before.score, after.score, charged, requirement=requirement, rewarded=rewarded, budget_tokens=budget_tokens),
    )


def interval_reward(
    before: Vector, after: Vector, charged: int, *, requirement: Vector, rewarded: RewardConfig, budget_tokens: int
) -> float:
    """The suite's reward of an interval that charged so many tokens of the budget."""
    cost = rewarded.cost * charged / budget_tokens
    return reward(before, after, requirement, beta=rewarded.beta, cost=cost, top_k=rewarded.top_k)


def standard_errors(before: Profile, after: Profile) -> Vector:
    """(K,) the standard errors of Δs, from the paired differences of the probes: √(var_c/n_c)."""
    return np.array([np.std(b - a, ddof=1) / np.sqrt(len(a)) for a, b in zip(before.scores, after.scores, strict=True)])


def standard_error(errors: Vector, requirement: Vector) -> float:
    """The standard error of r·Δs from those (K,) of Δs: √(Σ_c r_c²·e_c²)."""
    return float(np.sqrt(np.sum((requirement * errors) ** 2)))


def to_record(
    feedback: Feedback,
    *,
    requested: Vector,
    examples: Sequence[Example],
    figures: Mapping[str, float],
    after: Profile,
    dev: DevScore | None,
    epsilon: float,
) -> dict[str, Any]:
    """The interval as JSON values; `figures` are the objective's, `dev` the score on the dev questions, None if it was not measured."""
    capabilities = np.array([example.slot.capability for example in examples], dtype=np.int64)
    verified = np.bincount(capabilities[[example.right for example in examples]], minlength=len(requested))
    return {
        "interval": feedback.interval,
        "requested": requested.tolist(),
        "allocation": feedback.allocation.tolist(),
        "charged": feedback.tokens,
        "tokens": {
            "generated": sum(example.generated_tokens for example in examples),
            "trained": sum(example.trained_tokens for example in examples),
            "scored": sum(example.scored_tokens for example in examples),
            "rollout": sum(example.rollout_tokens for example in examples),
            "probe": after.tokens,
            "dev": 0 if dev is None else dev.tokens,
        },
        "examples": feedback.examples.astype(int).tolist(),
        "verified": verified.tolist(),
        "unverified": [_some_answers(examples, c) if n == 0 else [] for c, n in enumerate(verified)],
        "profile_before": feedback.profile_before.tolist(),
        "exact_match_before": feedback.exact_before.tolist(),
        "loss_before": feedback.probe_loss_before.tolist(),
        "standard_error": feedback.standard_error.tolist(),
        **after.record(),
        **(NOT_MEASURED if dev is None else dev.record()),
        "train_loss": [None if np.isnan(loss) else float(loss) for loss in feedback.train_loss],
        "reward": feedback.reward,
        "epsilon": epsilon,
        **({"figures": dict(figures)} if figures else {}),
    }


def example_rows(examples: Sequence[Example]) -> list[ExampleRow]:
    """One row for each slot, in the order of the examples: several answers to one prompt are one row."""
    rows: dict[tuple[int, int, int], tuple[int, int]] = {}
    for example in examples:
        key = (example.slot.capability, example.slot.difficulty, example.slot.index)
        written, trained = rows.get(key, (0, 0))
        rows[key] = written + example.generated_tokens + example.rollout_tokens, trained + example.trained_tokens
    return [(*key, *tokens) for key, tokens in rows.items()]


def _some_answers(examples: Sequence[Example], capability: int) -> list[str]:
    """The first of the answers to a capability's prompts, to show why none of them verifies."""
    answers = (example.answer for example in examples if example.slot.capability == capability)
    return [answer[:SHOWN_CHARACTERS] for answer in itertools.islice(answers, SHOWN_ANSWERS)]


def from_record(record: Mapping[str, Any]) -> Feedback:
    """The feedback that `to_record` wrote."""
    return Feedback(
        interval=record["interval"],
        allocation=frozen(np.array(record["allocation"])),
        tokens=record["charged"],
        profile_before=frozen(np.array(record["profile_before"])),
        profile_after=frozen(np.array(record["profile"])),
        train_loss=frozen(np.array([np.nan if loss is None else loss for loss in record["train_loss"]])),
        reward=record["reward"],
        standard_error=frozen(np.array(record["standard_error"])),
        exact_before=frozen(np.array(record["exact_match_before"])),
        exact_after=frozen(np.array(record["exact_match"])),
        probe_loss_before=frozen(np.array(record["loss_before"])),
        probe_loss_after=frozen(np.array(record["loss"])),
        examples=frozen(np.array(record["examples"], dtype=np.float64)),
    )
