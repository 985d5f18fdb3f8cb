"""Probes: how well the student gives right answers, capability by capability.

A probe's score is the probability that the student gives to the whole reference answer, exp(Σ log p) over its tokens, EOS
included, in [0, 1]: how often a sampled answer would be right. A capability's score is the mean over its probes. It stays at 0
while only the form of the answers is learned, as the geometric mean of the token probabilities does not (docs/metrics.md compares
them). Exact match, reported beside it, is the share of probes where every label token is the student's most likely one: greedy
decoding would write exactly them.
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
    soft: Vector  # (K,) in [0, 1]: means of the geometric means of the answers' token probabilities
    tokens: int  # read by the student

    @classmethod
    def from_scores(
        cls, scores: Sequence[Sequence[float]], *, exact_match: Sequence[float], soft: Sequence[float], tokens: int = 0
    ) -> "Profile":
        """The profile from each probe's score, measured now or recorded earlier."""
        arrays = [np.asarray(each, dtype=np.float64) for each in scores]
        return cls(
            score=np.array([each.mean() if len(each) else 0.0 for each in arrays]),
            exact_match=np.asarray(exact_match, dtype=np.float64),
            scores=arrays,
            tokens=tokens,
            soft=np.asarray(soft, dtype=np.float64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DevScore:
    """How good the student is at the task, on the dev questions."""

    utility: float  # of the learning curve: `exact` of a joint task, r·s of a mixture
    exact: float  # the share of right items by greedy decoding
    soft: float  # the same with a step's geometric-mean token probability instead of right or wrong: less noise, but form counts
    tokens: int  # read by the student

    def record(self) -> dict[str, float]:
        """The values as an interval's record holds them."""
        return {"dev_utility": self.utility, "dev_exact": self.exact, "dev_soft": self.soft}


def score_items(model: LanguageModel, items: Sequence[Sequence[Encoded]]) -> DevScore:
    """A joint task's dev items, each a chain of steps: an item is right if every step is."""
    steps = [step for item in items for step in item]
    log_likelihood, greedy = model.log_likelihoods(steps)
    bounds = np.cumsum([len(item) for item in items])[:-1]
    exact = float(np.mean([each.all() for each in np.split(greedy, bounds)]))
    geometric = log_likelihood / np.array([step.label_count for step in steps])
    soft = float(np.mean([np.exp(each.sum()) for each in np.split(geometric, bounds)]))
    return DevScore(utility=exact, exact=exact, soft=soft, tokens=sum(len(step.tokens) for step in steps))


def score_mixture(profile: Profile, shares: Vector) -> DevScore:
    """A mixture's dev questions, which are its items; `shares` (K,) are those of the capabilities in the test."""
    utility, exact, soft = (float(shares @ values) for values in (profile.score, profile.exact_match, profile.soft))
    return DevScore(utility=utility, exact=exact, soft=soft, tokens=profile.tokens)


def measure(model: LanguageModel, encoded: Sequence[Sequence[Encoded]]) -> Profile:
    """The profile on the probes of K capabilities, which the model encoded with their right answers."""
    probes = [probe for each in encoded for probe in each]
    log_likelihood, greedy = model.log_likelihoods(probes)
    score = np.exp(log_likelihood)
    soft = np.exp(log_likelihood / np.array([probe.label_count for probe in probes]))
    bounds = np.cumsum([len(each) for each in encoded])[:-1]
    matches = np.split(greedy, bounds)
    return Profile.from_scores(
        np.split(score, bounds),  # type: ignore[arg-type]
        exact_match=[float(each.mean()) if len(each) else 0.0 for each in matches],
        soft=[float(each.mean()) if len(each) else 0.0 for each in np.split(soft, bounds)],
        tokens=sum(len(probe.tokens) for probe in probes),
    )
