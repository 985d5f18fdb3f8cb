"""Fits a student to recorded trials, and measures how well it predicts mixes that it was not fitted on.

All coefficients of `fitted`, beside this module, are found together by ridge regression over all intervals of all trials; a
capability's own are shrunk towards those that all share. Intervals count by s(1 − s), the noise of a logit.

What seeds of one mix differ in is noise, whose sd follows the learning rate, as an optimiser's does: a walk that lasts, as large as the
last scores differ, and a fluctuation that the next interval forgets, the rest of an interval's error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import spearmanr

from readbench.api import Chain, Vector
from readbench.trials.environments.simulation.fitted import (
    EPSILON,
    SPANS,
    START,
    Course,
    FittedStudent,
    Matrix,
    depth,
    falls,
    items_right,
    learning_time,
    logits_of,
    pace,
    sigmoid,
    spread,
    terms,
)

SHARED = 3.0  # how much less the shared coefficients are shrunk than a capability's own
TRANSFER = 0.5  # how much less (more, below 1) those of transfer are
RIDGE = 0.03
_LEAST = 1e-4  # of a loss, in nats

Intervals = tuple[Matrix, Matrix, Matrix]  # (T, K, F + K), (T, K), (T, K): see `_intervals`


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """How well a fitted student predicts mixes that it was not fitted on, from their allocations alone."""

    scores: float  # R²: the share of all changes of scores since the start that it explains
    utility: float  # R² of the final utility: the share of its variance between trials
    predicted: dict[str, float]  # mix → mean predicted utility
    measured: dict[str, float]  # mix → mean utility
    rank_correlation: float  # Spearman's, of the mixes by predicted and by measured utility


def fit(courses: Sequence[Course], chains: Sequence[Chain]) -> FittedStudent:
    """The student that fits recorded trials best; all of them begin with the same student, and one mix has two trials."""
    intervals = [_intervals(course) for course in courses]
    student = _without_noise(courses, intervals, chains)
    walk, fluctuation, value_sd = _noise(student, courses, intervals)
    return replace(student, walk=walk, fluctuation=fluctuation, value_sd=value_sd)


def _without_noise(courses: Sequence[Course], intervals: Sequence[Intervals], chains: Sequence[Chain]) -> FittedStudent:
    """What `fit` makes, but for its noise; `intervals` are those of each trial."""
    num_capabilities = courses[0].shares.shape[1]
    own, transfer = _ridge(*(np.concatenate(part) for part in zip(*intervals, strict=True)))
    scores = np.concatenate([course.scores for course in courses])
    logits, exact = logits_of(scores), np.concatenate([course.exact for course in courses])
    losses = np.log(np.maximum(np.concatenate([course.losses for course in courses]), _LEAST))
    right = np.array([_logistic(x, e) for x, e in zip(logits.T, exact.T, strict=True)])
    ends = sigmoid(right[:, 0] + right[:, 1] * logits_of(np.array([course.scores[-1] for course in courses])))
    quiet = np.zeros(num_capabilities)
    return FittedStudent(
        start=logits_of(np.mean([course.scores[0] for course in courses], axis=0)),
        own=own,
        transfer=transfer,
        walk=quiet,
        fluctuation=quiet,
        right=right,
        right_sd=(exact - sigmoid(right[:, 0] + right[:, 1] * logits)).std(axis=0),
        loss=np.array([_line(d, each) for d, each in zip(depth(scores).T, losses.T, strict=True)]),
        standard_error=np.mean(np.concatenate([course.standard_error for course in courses]), axis=0),
        example_tokens=_means(np.array([course.example_tokens for course in courses])),
        chains=tuple(chains),
        value=_line(np.array([items_right(end, chains) for end in ends]), np.array([course.utility for course in courses])),
        value_sd=0.0,
    )


def validate(courses: Sequence[Course], chains: Sequence[Chain]) -> Validity:
    """Each mix is predicted by a student that was fitted on all others; at least two mixes are needed."""
    followed: list[tuple[Course, Matrix, float]] = []
    intervals = [_intervals(course) for course in courses]
    for mix in dict.fromkeys(course.mix for course in courses):
        others = [n for n, course in enumerate(courses) if course.mix != mix]
        student = _without_noise([courses[n] for n in others], [intervals[n] for n in others], chains)
        followed += [(course, *student.follow(course)) for course in courses if course.mix == mix]
    error = sum(float(((scores - course.scores[1:]) ** 2).sum()) for course, scores, _ in followed)
    change = sum(float(((course.scores[1:] - course.scores[0]) ** 2).sum()) for course, _, _ in followed)
    predicted, measured = np.array([utility for *_, utility in followed]), np.array([course.utility for course, *_ in followed])
    mixes = np.array([course.mix for course, *_ in followed])
    by_mix = {str(mix): mixes == mix for mix in dict.fromkeys(mixes)}
    return Validity(
        scores=1.0 - error / max(change, 1e-12),
        utility=1.0 - float(((predicted - measured) ** 2).sum()) / max(float(((measured - measured.mean()) ** 2).sum()), 1e-12),
        predicted={mix: float(predicted[its].mean()) for mix, its in by_mix.items()},
        measured={mix: float(measured[its].mean()) for mix, its in by_mix.items()},
        rank_correlation=float(spearmanr(*(np.array([each[its].mean() for its in by_mix.values()]) for each in (predicted, measured)))[0]),
    )


def _intervals(course: Course) -> Intervals:
    """((T, K, F + K) terms and what else was taught, (T, K) changes of logits, (T, K) weights) of a trial."""
    logits = logits_of(course.scores)
    recency, rows = np.full((len(SPANS), logits.shape[1]), START), []
    for x, shares, time, fall in zip(logits, course.shares, learning_time(course.learning_rate), falls(course.learning_rate), strict=False):
        after = recency + pace(time)[:, None] * (shares - recency)
        own = terms(x, shares, time, fall, np.log((after + EPSILON) / (recency + EPSILON)))
        others = time * np.tile(shares, (len(shares), 1)) * (1.0 - np.eye(len(shares)))
        rows.append(np.concatenate([own, others], axis=1))
        recency = after
    return np.array(rows), np.diff(logits, axis=0), spread((course.scores[1:] + course.scores[:-1]) / 2)


def _ridge(rows: Matrix, moves: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """((K, F) own, (K, K) transfer) coefficients that fit the moves best; the own ones are shared ones and what differs from them."""
    num_capabilities = moves.shape[1]
    wide = rows.shape[-1] - num_capabilities  # F
    design = np.zeros((*moves.shape, wide + num_capabilities * (wide + num_capabilities)))
    design[..., :wide] = SHARED * rows[..., :wide]
    for c in range(num_capabilities):
        first = wide + c * (wide + num_capabilities)
        design[:, c, first : first + wide] = rows[:, c, :wide]
        design[:, c, first + wide : first + wide + num_capabilities] = TRANSFER * rows[:, c, wide:]
    flat, target = (design * weights[..., None]).reshape(-1, design.shape[-1]), (moves * weights).reshape(-1)
    found = np.linalg.solve(flat.T @ flat + RIDGE * np.eye(flat.shape[1]), flat.T @ target)
    each = found[wide:].reshape(num_capabilities, wide + num_capabilities)
    return np.asarray(SHARED * found[:wide] + each[:, :wide]), np.asarray(TRANSFER * each[:, wide:].T)


def _predicted(rows: Matrix, own: Matrix, transfer: Matrix) -> Matrix:
    """(T, K) the moves that the coefficients predict."""
    wide = own.shape[1]
    result: Matrix = (rows[..., :wide] * own).sum(axis=-1) + np.einsum("tci,ic->tc", rows[..., wide:], transfer)
    return result


def _noise(student: FittedStudent, courses: Sequence[Course], intervals: Sequence[Intervals]) -> tuple[Vector, Vector, float]:
    """((K,) sd of what stays over a trial, (K,) sd of what passes, both a unit of the learning rate, sd of the utility)."""
    last = [course.scores[-1] for course in courses]
    ends = _between_seeds(np.array([logits_of(scores) for scores in last]), courses)
    # a walk adds up over the trial, each step as large as the rate and divided by the spread of the score where it is made
    steps = [(course.learning_rate[:, None] / spread(course.scores[:-1])) ** 2 for course in courses]
    stays = ends / np.mean([each.mean(axis=0) for each in steps], axis=0)
    missed_steps = [weights * (moves - _predicted(rows, student.own, student.transfer)) for rows, moves, weights in intervals]
    loudness = float(np.mean([np.mean(course.learning_rate**2) for course in courses]))
    an_interval = np.mean([(each**2).mean(axis=0) for each in missed_steps], axis=0) / loudness
    passes = np.maximum(an_interval - stays / len(courses[0].learning_rate), 0.0) / 2.0
    missed = np.array([course.utility - student.utility(logits_of(scores)) for course, scores in zip(courses, last, strict=True)])
    return np.sqrt(stays), np.sqrt(passes), float(np.sqrt(_between_seeds(missed, courses)))


def _between_seeds(values: Matrix, courses: Sequence[Course]) -> Vector:
    """(…) the variance of values (N, …) between the trials of one mix; at least one mix has two."""
    mixes = np.array([course.mix for course in courses])
    squares, freedom = np.zeros(values.shape[1:]), 0
    for mix in dict.fromkeys(mixes):  # in order: sums of another order have other bits
        each = values[mixes == mix]
        squares, freedom = squares + ((each - each.mean(axis=0)) ** 2).sum(axis=0), freedom + len(each) - 1
    return np.asarray(squares / freedom)


def _logistic(logits: Vector, rates: Vector) -> Vector:
    """(2,) intercept and slope of a logistic curve through rates, by Newton's method, the slope with a weak prior at 1."""
    found, prior = np.array([0.0, 1.0]), 1.0
    columns = np.stack([np.ones_like(logits), logits], axis=1)
    for _ in range(25):
        expected = sigmoid(columns @ found)
        slope = columns.T @ (rates - expected) - prior * (found - [0.0, 1.0])
        curvature = (columns * (expected * (1.0 - expected))[:, None]).T @ columns + prior * np.eye(2)
        found = found + np.linalg.solve(curvature, slope)
    return found


def _line(x: Vector, y: Vector) -> Vector:
    """(2,) intercept and slope by least squares; a flat line where x does not vary."""
    if np.ptp(x) < 1e-9:
        return np.array([y.mean(), 0.0])
    slope, intercept = np.polyfit(x, y, 1)
    return np.array([intercept, slope])


def _means(values: Matrix) -> Vector:
    """(K,) means without what is missing; where all is missing, the mean of the others."""
    known = ~np.isnan(values)
    means = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    result: Vector = np.where(known.any(axis=0), means, means[known.any(axis=0)].mean() if known.any() else 1.0)
    return result
