"""Probes: how well the student gives right answers, capability by capability.

A probe's score is the geometric mean of the reference answer's token probabilities, exp(Σ log p / label tokens), EOS
included, in (0, 1]; a capability's score is the mean over its probes. Exact match, reported beside it, is the share of
probes where every label token is the student's most likely one: greedy decoding would write exactly them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readbench.api import Vector
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The student's scores on a set of probes; a capability without probes has score and exact match 0."""

    score: Vector  # (K,) in [0, 1]
    exact_match: Vector  # (K,) in [0, 1]
    scores: list[Vector]  # K arrays (n_c,): each probe's score
    tokens: int  # read by the student

    @classmethod
    def from_scores(cls, scores: Sequence[Sequence[float]], *, exact_match: Sequence[float], tokens: int = 0) -> "Profile":
        """The profile from each probe's score, measured now or recorded earlier."""
        arrays = [np.asarray(each, dtype=np.float64) for each in scores]
        return cls(
            score=np.array([each.mean() if len(each) else 0.0 for each in arrays]),
            exact_match=np.asarray(exact_match, dtype=np.float64),
            scores=arrays,
            tokens=tokens,
        )


def share_of_right_items(model: LanguageModel, items: Sequence[Sequence[Encoded]]) -> tuple[float, int]:
    """The share of items whose every step the model would write exactly by greedy decoding, and the tokens it read."""
    steps = [step for item in items for step in item]
    _, greedy = model.log_likelihoods(steps)
    bounds = np.cumsum([len(item) for item in items])[:-1]
    right = [bool(each.all()) for each in np.split(greedy, bounds)]
    return sum(right) / len(right), sum(len(step.tokens) for step in steps)


def measure(model: LanguageModel, encoded: Sequence[Sequence[Encoded]]) -> Profile:
    """The profile on the probes of K capabilities, which the model encoded with their right answers."""
    probes = [probe for each in encoded for probe in each]
    log_likelihood, greedy = model.log_likelihoods(probes)
    score = np.exp(log_likelihood / np.array([probe.label_count for probe in probes]))
    bounds = np.cumsum([len(each) for each in encoded])[:-1]
    matches = np.split(greedy, bounds)
    return Profile.from_scores(
        np.split(score, bounds),  # type: ignore[arg-type]
        exact_match=[float(each.mean()) if len(each) else 0.0 for each in matches],
        tokens=sum(len(probe.tokens) for probe in probes),
    )
