"""What an allocator sees before, during and after a trial, and what it must do."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def _absent() -> Vector:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """A short training of the untrained student on one mix, and what came of it; made before any trial (ReAD's interventions)."""

    allocation: Vector  # (K,) realised token shares, on the simplex
    tokens: int  # charged in it
    profile_before: Vector  # (K,) in [0, 1]
    profile_after: Vector  # (K,) in [0, 1]
    exact_before: Vector  # (K,) exact match on the same probes, in [0, 1]
    exact_after: Vector  # (K,)
    soft_before: Vector  # (K,) geometric mean of the answer's token probabilities, over the same probes, in [0, 1]
    soft_after: Vector  # (K,)
    utility_before: float  # share of right dev items, in [0, 1]
    utility_after: float
    soft_utility_before: float  # the same with an item's steps weighed by their soft score instead of right or wrong
    soft_utility_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One kind of item in a task: all of its steps must be right."""

    steps: tuple[int, ...]  # capabilities, as indices in suite order
    share: float  # of all items


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTerms:
    """What a suite's reward is made of: R = r·Δs − beta·spill − cost·(the interval's share of the budget)."""

    beta: float = 0.5
    cost: float = 0.0
    top_k: int = 3  # the largest r that spill covers


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What an allocator may know before the trial."""

    capabilities: tuple[str, ...]  # K names, in suite order
    requirement: Vector  # (K,) on the simplex
    teacher_profile: Vector | None  # (K,) the teacher's score on the same probes, if measured
    budget_tokens: int
    num_intervals: int
    pilots: tuple[Pilot, ...] = ()  # if the run made them: for a requirement that they infer, or an allocator that asks for them
    # pilot trials on random mixes, from first interval to last, if the run made them for an allocator that asks; rewards are of this r
    profiling: tuple[tuple["Feedback", ...], ...] = ()
    pilot_tokens: int = 0  # charged by all pilots and pilot trials, inside the budget or not
    composition: tuple[Chain, ...] | None = None  # the kinds of items, shares summing to 1; None if they must be inferred
    reward: RewardTerms = RewardTerms()
    num_probes: int = 0  # a capability; 0 if unknown
    learning_rate: Vector | None = None  # (T,) at the middle of each interval, as a share of its peak
    teacher_exact: Vector | None = None  # (K,) the teacher's exact match on the probes, if measured
    teacher_loss: Vector | None = None  # (K,) its mean loss on their right answers, nats a token, if measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What an allocator learns after interval t."""

    interval: int  # 0-based
    allocation: Vector  # (K,) realised token shares, on the simplex (zeros if the interval bought nothing)
    tokens: int  # charged in this interval
    profile_before: Vector  # (K,) in [0, 1]
    profile_after: Vector  # (K,) in [0, 1]
    train_loss: Vector  # (K,) mean label-token loss (nats) of the interval's examples before their update, NaN if none
    reward: float  # the suite's reward: r·Δs − β·spill − λ·cost (method.md §2)
    # Every environment gives these; they are (0,) only in feedback that somebody made without them.
    standard_error: Vector = field(default_factory=_absent)  # (K,) of profile_after − profile_before, paired over the probes
    exact_before: Vector = field(default_factory=_absent)  # (K,) exact match on the probes, in [0, 1]
    exact_after: Vector = field(default_factory=_absent)  # (K,)
    probe_loss_before: Vector = field(default_factory=_absent)  # (K,) mean loss on the probes' right answers, nats a token
    probe_loss_after: Vector = field(default_factory=_absent)  # (K,)
    examples: Vector = field(
        default_factory=_absent
    )  # (K,) bought in this interval: all are taught, unless the objective learns from right answers alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What an allocator sees before interval t."""

    interval: int  # 0-based
    profile: Vector  # (K,) in [0, 1]
    budget_left: float  # share of the budget, in [0, 1]
    recent: tuple[Feedback, ...] = ()  # oldest first, at most 8
    exact: Vector = field(default_factory=_absent)  # (K,) exact match on the probes, in [0, 1]; every environment gives it
    dev_utility: float | None = None  # of the student on the dev items, where it was just measured and the suite shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an allocator chose between, and what it expected."""

    candidates: Vector  # (N, K) allocations
    predicted: Vector  # (N,) how good it expects each to be, in units of its own
    sd: Vector  # (N,) how uncertain it is of that; zeros if it does not know
    chosen: int  # the candidate that it took, before any smoothing
    labels: tuple[str, ...] = ()  # N short names, if the candidates have some
    scores: Vector | None = None  # (N, K) the profile that it expects at the trial's end


@runtime_checkable
class Allocator(Protocol):
    """Splits each interval's tokens between the capabilities, before the interval begins.

    It may also have ``explain() -> Explanation | None``: what its last proposal was chosen from. It is recorded with the interval, and
    must change nothing.
    """

    def propose(self, observation: Observation) -> Vector:
        """The allocation of the interval: (K,) float64, non-negative, summing to 1."""

    def update(self, feedback: Feedback) -> None:
        """Learns from the interval that just ended."""

    def state(self) -> bytes:
        """Everything needed to resume, bit for bit."""

    def restore(self, state: bytes) -> None:
        """Restores what `state` returned; ValueError if the bytes are not such a state."""
