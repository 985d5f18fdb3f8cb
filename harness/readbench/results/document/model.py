"""results.json as typed objects (docs/results-schema.md); the packaged JSON schema is generated from them.

Every token count is in tokens; every score, share and utility is in [0, 1]; only `Seconds` holds timings. Two runs of one
config differ only in ``seconds``, ``run`` and ``environment``.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import Field, StringConstraints

from readbench.trials.record.interval import ByCapability, Count, Interval, IntervalTokens, Name, Positive, Share, Strict
from readbench.trials.spec import OF_ANY_KIND, RunIdentity

RESULTS_SCHEMA: Literal[1] = 1
Change = Annotated[float, Ge(-1), Le(1)]
TrialId = Annotated[str, StringConstraints(pattern="^[0-9a-f]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteInfo(Strict):
    """The suite of the run."""

    name: Name
    version: Annotated[int, Ge(1)]
    capabilities: Annotated[tuple[Name, ...], MinLen(1), Field(json_schema_extra={"uniqueItems": True})]
    requirement: ByCapability  # the one that the run used: config.requirement says where it comes from
    margins: dict[str, Positive]  # by metric: the smallest drop that `readbench check` calls a regression
    card: ByCapability | None = None  # the suite's own requirement; None in older results, which used it


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance(Strict):
    """Content hashes of the suite's files, questions sampled from its sources, the computing code and the models."""

    suite: str
    data: str
    code: str
    teacher: str  # the fingerprint, if the teacher is not a local model
    student: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTokens(Strict):
    """Tokens spent before any trial; no trial is charged for them."""

    probe: Count
    eval: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleQuestion(Strict):
    """One probe of a capability, with the answers of the teacher (None if it was not asked) and of the untrained student."""

    capability: Name
    prompt: str
    answer: str
    teacher: str | None
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter(Strict):
    """Scores by capability, of the untrained and the final student."""

    before: ByCapability
    after: ByCapability


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityChange(Strict):
    """The share of right dev items before and after a pilot; soft: with token probabilities instead of right or wrong."""

    before: Share
    after: Share
    soft_before: Share
    soft_after: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotResult(Strict):
    """A pilot: what was trained, and what it changed."""

    objective: Name | None = None  # None in older results, whose runs have one
    allocation: ByCapability  # the share of the charged tokens
    tokens: Count  # charged
    profile: BeforeAfter
    exact_match: BeforeAfter
    soft: BeforeAfter  # geometric-mean token probabilities
    utility: UtilityChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilots(Strict):
    """What the run's pilots found."""

    pilots: tuple[PilotResult, ...]
    tokens: IntervalTokens  # of all of them together


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiling(Strict):
    """The run's pilot trials."""

    trials: Count
    tokens: IntervalTokens  # of all of them together


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Strict):
    """What was measured before any trial."""

    utility: Share  # of the untrained student
    teacher_profile: ByCapability | None
    tokens: StartTokens
    examples: tuple[SampleQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTokens(Strict):
    """Tokens of a whole trial, by kind."""

    generated: Count
    trained: Count
    scored: Count = 0  # read by the teacher, or by the untrained student, to judge what the student learns from
    rollout: Count = 0  # written by the student, to learn from
    probe: Count
    dev: Count
    eval: Count
    pilot: Count = 0  # the trial's payment for the pilots; 0 where they are not charged

    @property
    def charged(self) -> int:
        """What counts against the budget."""
        return self.generated + self.trained + self.scored + self.rollout + self.pilot


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Strict):
    """A trial's metrics (docs/metrics.md)."""

    utility: Share
    step_accuracy: Share  # the share of right steps; the utility, where an item is one question
    utility_before: Share
    utility_gain: Change
    profile_gain: Change
    spillover: Positive
    collateral: Share
    waste: Share
    auc: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds(Strict):
    """Where the time went."""

    total: Positive
    teacher: Positive
    train: Positive
    probe: Positive
    eval: Positive
    allocator: Positive
    rollout: Positive = 0.0  # the student writes its own answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial(Strict):
    """The fields that every trial has, however it ended."""

    id: TrialId
    allocator: Name
    params: dict[str, bool | int | float | str]  # the allocator's, defaults included
    objective: Name
    seed: Count
    budget_tokens: Annotated[int, Ge(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTrial(_Trial):
    """A trial with a result."""

    status: Literal["complete"] = "complete"
    failure: None = None
    dev_utility_before: Share
    intervals: Annotated[tuple[Interval, ...], MinLen(1)]
    tokens: TrialTokens
    metrics: Metrics
    profile: BeforeAfter
    exact_match: BeforeAfter
    allocation: ByCapability  # share of the charged tokens
    answers: dict[Name, str]  # to the sample questions, by capability
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedTrial(_Trial):
    """A trial that failed or has not ended yet, with its committed intervals."""

    status: Literal["failed", "incomplete"]
    failure: str | None
    dev_utility_before: Share | None
    intervals: tuple[Interval, ...]
    tokens: None = None
    metrics: None = None
    profile: None = None
    exact_match: None = None
    allocation: None = None
    answers: None = None
    seconds: None = None


TrialResult = CompleteTrial | UnfinishedTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Strict):
    """The results of a run."""

    schema: Literal[1] = RESULTS_SCHEMA
    run: Annotated[str, StringConstraints(min_length=1)]  # the run directory's name
    suite: SuiteInfo
    config: RunIdentity
    provenance: Provenance
    environment: dict[str, Any]  # versions, hardware, git revision: recorded, never acted on, may gain keys
    start: Start | None
    pilots: Pilots | None = None  # None: the run made none
    profiling: Profiling | None = None  # likewise of pilot trials
    trials: Annotated[tuple[Annotated[TrialResult, Field(discriminator="status")], ...], MinLen(1)]

    @property
    def complete(self) -> tuple[CompleteTrial, ...]:
        """The trials with a result."""
        return tuple(trial for trial in self.trials if isinstance(trial, CompleteTrial))

    @property
    def unfinished(self) -> tuple[UnfinishedTrial, ...]:
        """The trials without one."""
        return tuple(trial for trial in self.trials if isinstance(trial, UnfinishedTrial))

    def other_params(self) -> dict[str, dict[str, Any]]:
        """The parameters of plug-ins that are not allocators, by kind and name; an older version's say no kind."""
        allocators = {trial.allocator for trial in self.trials}
        others = {kind: dict(by_name) for kind, by_name in self.config.params.items() if kind != "allocator"}
        for name in allocators & others.get(OF_ANY_KIND, {}).keys():
            del others[OF_ANY_KIND][name]
        return others

    def document(self) -> dict[str, Any]:
        """As JSON values: the content of ``results.json``."""
        return asdict(self)
