"""The learning curve of a capability: its level, how it is forgotten, and the constants of both (docs/method.md §6).

Chosen on real trials of the lab's student. In logits, and in shares of the trial's learning time.
"""

import numpy as np

from readbench.api import Vector

FORGETTING, FORGETTING_FLOOR = 0.3, 0.05  # logits a unit of log recency: so much times the score, but not less than the floor
DECAY = 0.15  # in which recency fades to 1/e
FLOOR = 0.005  # of recency in the logarithm
START = 0.15  # recency of the untrained student
NOISE = 0.25  # of a change, at score 1/2
PRIOR_GAIN = 3.0  # that the whole budget on one capability adds
_LEAST_SCORE = 0.012


def level(exact: Vector, score: Vector) -> Vector:
    """(K,) in (0, 1): exact match, which says what is right, and the probability of whole answers, which moves sooner, half each."""
    likely = sigmoid(0.6 + 1.15 * logit(np.clip(score, 0.01, 0.99)))
    blended: Vector = np.clip(0.5 * exact + 0.5 * likely, _LEAST_SCORE, 1.0 - _LEAST_SCORE)
    return blended


def recency_after(recency: Vector, shares: Vector, time: float | Vector) -> Vector:
    """The recency once these shares were fed for a time."""
    moved: Vector = recency - np.expm1(-time / DECAY) * (shares - recency)
    return moved


def remembered(recency: Vector, before: Vector, forgetting: float | Vector) -> Vector:
    """Logits that a change of recency adds or takes."""
    change: Vector = forgetting * np.log((recency + FLOOR) / (before + FLOOR))
    return change


def sigmoid(logits: Vector) -> Vector:
    """The scores of logits."""
    return 1.0 / (1.0 + np.exp(-logits))


def logit(share: Vector) -> Vector:
    """The logits of scores in (0, 1)."""
    logits: Vector = np.log(share / (1.0 - share))
    return logits
