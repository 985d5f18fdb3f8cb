"""An interval as results and trackers see it: every vector is keyed by capability name."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Le
from pydantic import StringConstraints

from readbench.api import NAME_PATTERN
from readbench.base.documents import STRICT

Count = Annotated[int, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Ge(0)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN.pattern}$")]
ByCapability = dict[Name, Share]
Value = TypeVar("Value")


class Strict:
    """Read from JSON strictly: an unknown key or a value of another type is refused."""

    __slots__ = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTokens(Strict):
    """Tokens of one interval, or of all pilots, by kind."""

    generated: Count
    trained: Count
    scored: Count = 0  # read by the teacher, or by the untrained student, to judge what the student learns from
    rollout: Count = 0  # written by the student, to learn from
    probe: Count
    dev: Count

    @property
    def charged(self) -> int:
        """What counts against the budget."""
        return self.generated + self.trained + self.scored + self.rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected(Strict):
    """What the allocator expected of the mixes that it chose from, in units of its own."""

    candidates: Annotated[int, Ge(1)]
    chosen: float  # of the one that it took
    spread: Positive  # standard deviation over the candidates
    uncertainty: Positive  # mean over the candidates of how uncertain it was; 0 if it does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval(Strict):
    """One turn of the loop."""

    interval: Count  # 0-based
    requested: ByCapability  # the share that the allocator asked for
    allocation: ByCapability  # the share of the tokens that were charged
    examples: dict[Name, Count]
    verified: dict[Name, Count] | None = None  # examples whose answer by the teacher is right; None in older records
    # the first answers to a capability's prompts, if none of the interval's is right
    unverified: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    tokens: IntervalTokens
    profile: ByCapability
    exact_match: ByCapability
    dev_utility: Share | None  # None where it was not measured (dev_every)
    train_loss: dict[Name, float | None]  # nats a label token, below 0 where an objective has it so; None if nothing was taught
    reward: float
    epsilon: Positive  # the standard error of r·Δs
    figures: dict[str, float] = field(default_factory=dict)  # of the objective (docs/objectives.md), means over the interval
    expected: Expected | None = None  # None for an allocator that does not explain itself


def interval_of(capabilities: Sequence[str], record: Mapping[str, Any]) -> Interval:
    """A trial's record of an interval, with capability names."""
    return Interval(
        interval=record["interval"],
        requested=named(capabilities, record["requested"]),
        allocation=named(capabilities, record["allocation"]),
        examples=named(capabilities, record["examples"]),
        verified=None if record.get("verified") is None else named(capabilities, record["verified"]),
        unverified={name: tuple(answers) for name, answers in zip(capabilities, record.get("unverified", ()), strict=False) if answers},
        tokens=IntervalTokens(**record["tokens"]),
        profile=named(capabilities, record["profile"]),
        exact_match=named(capabilities, record["exact_match"]),
        dev_utility=record["dev_utility"],
        train_loss=named(capabilities, record["train_loss"]),
        reward=record["reward"],
        epsilon=record["epsilon"],
        figures=record.get("figures", {}),
        expected=_expected(record.get("explained")),
    )


def _expected(explained: Mapping[str, Any] | None) -> Expected | None:
    if explained is None:
        return None
    predicted = explained["predicted"]
    return Expected(
        candidates=len(predicted),
        chosen=predicted[explained["chosen"]],
        spread=statistics.pstdev(predicted),
        uncertainty=statistics.fmean(explained["sd"]),
    )


def named(capabilities: Sequence[str], values: Sequence[Value]) -> dict[str, Value]:
    """Values keyed by capability name."""
    return dict(zip(capabilities, values, strict=True))
