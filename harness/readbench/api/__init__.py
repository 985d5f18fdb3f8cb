"""The contracts: what an allocator sees, what a plug-in registers. This package imports nothing else from readbench.

A plug-in is a decorated, typed factory in the module that its distribution names in the entry-point
group ``readbench.plugins``::

    from readbench.api import Allocator, Problem, allocator

    @allocator("mine")
    def mine(problem: Problem, seed: int, *, floor: float = 0.05) -> Allocator:
        '''One line that `readbench list allocators` shows.'''
        return Mine(problem, floor)

The keyword-only arguments are the plug-in's parameters: set by name, checked against the annotation, and
recorded in the trial's config. An allocator must be deterministic given its seed, blind to the capabilities' names,
finite on any profile in [0, 1], unaffected by global random state, and exact after `restore`;
`readbench.testing.check_allocator` checks all of this.
"""

import inspect
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from readbench.api.allocation import Allocator as Allocator
from readbench.api.allocation import Chain as Chain
from readbench.api.allocation import Explanation as Explanation
from readbench.api.allocation import Feedback as Feedback
from readbench.api.allocation import Observation as Observation
from readbench.api.allocation import Pilot as Pilot
from readbench.api.allocation import Problem as Problem
from readbench.api.allocation import RewardTerms as RewardTerms
from readbench.api.allocation import Vector as Vector
from readbench.api.objective import NEEDS as NEEDS
from readbench.api.objective import Batch as Batch
from readbench.api.objective import Loss as Loss
from readbench.api.objective import Objective as Objective
from readbench.api.objective import Rollouts as Rollouts

Difficulty = Literal[0, 1, 2]  # easy, medium, hard
DIFFICULTIES = ("easy", "medium", "hard")
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt and its right answer, sampled from a source."""

    prompt: str
    answer: str
    key: str = ""  # identity of the problem behind the prompt (7+5 is 5+7): it has one split; empty: the prompt's text and n-grams
    reference: str = ""  # what a verifier holds answers against, if that is not `answer`: tests, checkers, a dataset's entry
    verifier: str = "exact"  # the registered verifier that says whether a free text answers it


class Source(Protocol):
    """An endless supply of one capability's questions."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question of that difficulty, drawn with `rng` alone."""


class Verifier(Protocol):
    """Says whether a free text answers a question. Deterministic; runs nothing that a model wrote."""

    def score(self, question: Question, answer: str) -> float:
        """The answer's score in [0, 1]: 1 is right. Any text has a score, also one of 100 kB or of control characters.

        ConfigError if the question's own answer, the reference, is not of the verifier's form.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A teacher's answer."""

    text: str
    tokens: int  # generated, the end-of-sequence token included
    finished: bool  # False if cut at the limit


Scored = tuple[tuple[int, ...], int]  # a sequence's tokens, and how many of them are the prompt


class Teacher(Protocol):
    """Answers prompts. Made once per process and asked many times."""

    def fingerprint(self) -> str:
        """Identifies the model and everything else its answers depend on: the cache's key."""

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """One response per prompt, in order; independent of how the prompts are batched."""


class ScoringTeacher(Teacher, Protocol):
    """A teacher, not a local model, that also says how probable it holds tokens which the student wrote."""

    def scoring_tokenizer(self) -> str:
        """Folder or hub id of the tokenizer whose ids `score` takes; empty: this one cannot score."""

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        """The log-probabilities, in nats at temperature 1, of each sequence's tokens after its prompt, in order."""

    def top(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        """Of each sequence a matrix (n, 2·k + 1), for its n tokens after the prompt, at temperature 1.

        A row has the ids of the k tokens that are most probable there, the most probable first, then their log-probabilities in nats, and
        the logarithm of the mass of all others.
        """


Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInfo:
    """One trial of the run."""

    id: str  # 16 hex digits
    allocator: str
    objective: str
    budget_tokens: int
    seed: int
    params: Mapping[str, Value]  # of the allocator, defaults included
    name: str  # readable, unique in its run: read-s0, and where the run has several objectives or budgets read-rlad-60000-s0

    def parameters(self) -> dict[str, Value]:
        """What it ran, flat."""
        place: dict[str, Value] = {
            "allocator": self.allocator,
            "objective": self.objective,
            "budget_tokens": self.budget_tokens,
            "seed": self.seed,
        }
        return {**place, "trial": self.id, **{f"params.{k}": v for k, v in self.params.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run."""

    folder: Path  # absolute
    suite: str  # the suite's name
    config: Mapping[str, Any]  # as in results.json: what the results depend on
    trials: Mapping[str, TrialInfo]  # by id

    @property
    def name(self) -> str:
        """The run directory's name."""
        return self.folder.name


class Recorder(Protocol):
    """Receives a tracker's values; made without arguments in its own process, which is where it imports its library.

    All calls come in one thread, in this order: `start`; each trial's intervals, oldest first, then its end; finally `close`.
    Trials run in parallel, so their intervals are interleaved. Every interval and every end comes once:
    a resumed run continues where the recorder stopped. An exception drops the tracker, never the run.
    """

    def start(self, run: RunInfo, key: str) -> None:
        """Begins the run or finds it again: `key` (16 hex digits) belongs to this sink and is the same at every resume."""

    def interval(self, trial: TrialInfo, values: Mapping[str, float], *, step: int) -> None:
        """Records what a committed interval measured; `step` is the tokens the trial has charged so far."""

    def end_trial(self, trial: TrialInfo, values: Mapping[str, float], *, step: int, complete: bool) -> None:
        """Records the trial's final values: empty if it failed (not `complete`); a failed trial may be tried again."""

    def close(self, results: Path | None) -> None:
        """Ends the run: finished with this results.json, or stopped (None) and possibly resumed later."""


Kind = Literal["allocator", "suite", "objective", "teacher", "source", "tracker", "verifier"]
Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Parameter:
    """A keyword-only argument of a factory."""

    name: str
    annotation: type  # bool, int, float or str
    default: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a decorator records on a factory; `readbench.base.plugins` collects it."""

    kind: Kind
    name: str
    summary: str
    factory: Callable[..., Any]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # modules that must be installed (trackers only)
    pilots: bool = False  # whether the run must make pilots for it (allocators only)
    profiled: bool = False  # likewise pilot trials


def _register(
    kind: Kind, name: str, *, needs: Sequence[str] = (), pilots: bool = False, profiled: bool = False
) -> Callable[[Factory], Factory]:
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError(f"{kind} name {name!r} must match {NAME_PATTERN.pattern}")

    def decorate(factory: Factory) -> Factory:
        doc = inspect.getdoc(factory) or ""
        parameters = {}
        for parameter in inspect.signature(factory, eval_str=True).parameters.values():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            if parameter.annotation not in (bool, int, float, str) or parameter.default is inspect.Parameter.empty:
                raise TypeError(f"{kind} {name!r}: parameter {parameter.name!r} needs a type (bool, int, float, str) and a default")
            parameters[parameter.name] = Parameter(parameter.name, parameter.annotation, parameter.default)
        plugin = Plugin(kind, name, doc.partition("\n")[0], factory, parameters, tuple(needs), pilots, profiled)
        factory.__readbench_plugin__ = plugin  # type: ignore[attr-defined]
        return factory

    return decorate


def allocator(name: str, *, pilots: bool = False, profiled: bool = False) -> Callable[[Callable[..., Allocator]], Callable[..., Allocator]]:
    """Registers ``(problem: Problem, seed: int, *, param: type = default) -> Allocator``.

    With `pilots` it finds pilots in the problem, with `profiled` pilot trials.
    """
    return _register("allocator", name, pilots=pilots, profiled=profiled)


def suite(name: str) -> Callable[[Callable[[], Path]], Callable[[], Path]]:
    """Registers ``() -> Path``, the folder that holds ``suite.yaml``."""
    return _register("suite", name)


def objective(name: str) -> Callable[[Callable[..., Objective]], Callable[..., Objective]]:
    """Registers ``(*, param: type = default) -> Objective``."""
    return _register("objective", name)


def teacher(name: str) -> Callable[[Callable[..., Teacher]], Callable[..., Teacher]]:
    """Registers ``(model: str, device: str, *, param: type = default) -> Teacher`` for ``--teacher name:model``."""
    return _register("teacher", name)


def source(name: str) -> Callable[[Callable[[], Source]], Callable[[], Source]]:
    """Registers ``() -> Source`` under the name that a suite's capability uses as its ``source``."""
    return _register("source", name)


def tracker(name: str, *, needs: Sequence[str] = ()) -> Callable[[Callable[[], Recorder]], Callable[[], Recorder]]:
    """Registers ``() -> Recorder`` for ``--track name``; without the modules in `needs` a run is refused before it begins."""
    return _register("tracker", name, needs=needs)


def verifier(name: str) -> Callable[[Callable[..., Verifier]], Callable[..., Verifier]]:
    """Registers ``(*, param: type = default) -> Verifier``."""
    return _register("verifier", name)
