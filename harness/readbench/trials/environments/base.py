"""What the loop drives: an environment takes an allocation, plays an interval with it, and reports the outcome.

Distillation trains a real student, the scripted environment of the conformance kit only pretends; the loop treats both alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from readbench.api import Feedback, Observation, Problem, Vector
from readbench.trials.environments.stopwatch import Stopwatch

RECENT = 8  # intervals that an allocator sees in an observation
ExampleRow = tuple[int, int, int, int, int]  # capability, difficulty, slot, tokens written (by teacher or student), tokens trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The outcome of one interval."""

    feedback: Feedback
    charged_tokens: int  # by the trial so far, its payment for pilots apart
    utility_estimate: float | None = None  # r·s on the dev questions, if they were measured
    record: Mapping[str, Any]  # the interval as JSON values, for the trial's record
    examples: Sequence[ExampleRow] = ()  # what was trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState:
    """All that an environment needs to resume after an interval; each environment fills in the fields that it has."""

    scheduler: bytes = b""
    ledger: bytes = b""
    prompts: Any = None  # JSON value
    probe_scores: list[list[float]]  # K lists: the score of each probe after the interval
    checkpoint: bytes = b""  # the student's weights, moments and counters, as safetensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A trial's final result, once its budget is spent."""

    record: Mapping[str, Any]  # JSON values, for the trial's record
    save_student: Callable[[Path], None]  # writes the final student into a folder


class Playable(Protocol):
    """What an allocator can play with."""

    problem: Problem
    watch: Stopwatch
    interval: int  # intervals done

    def observe(self) -> Observation:
        """What the allocator may know before the next interval."""

    def step(self, allocation: Vector) -> Step:
        """Plays the next interval with an allocation (K,) on the simplex; TrialFailure if it cannot."""


class Environment(Playable, Protocol):
    """A trial without its allocator and its record."""

    def begin(self) -> Mapping[str, Any]:
        """Measures the start, before the first interval: JSON values, for the trial's record."""

    def restore(self, start: Mapping[str, Any], records: Sequence[Mapping[str, Any]], state: EnvironmentState | None) -> None:
        """Resumes from what `begin` measured, the records of the intervals done and, if there are any, the state after the last."""

    def state(self) -> Callable[[], EnvironmentState]:
        """All that is needed to resume after the last step: copied now, serialised by the call, during the next interval."""

    def finish(self) -> Outcome:
        """Evaluates the trial's result."""
