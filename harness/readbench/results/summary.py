"""Results summarised by allocator, for the tables and the closing lines.

Only complete trials count; the others are listed by name, so that no failure goes unreported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readbench.results.document.model import CompleteTrial, Results
from readbench.results.scores import metric_values
from readbench.results.stats import Estimate, estimate

SAMPLES = 3  # answers of a capability to show
TOKEN_KINDS = ("generated", "trained", "scored", "rollout", "probe", "dev", "eval", "pilot")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatorSummary:
    """One allocator over its complete trials; with an objective and a budget, where the run has several."""

    name: str
    budget_tokens: int  # of a trial
    seeds: tuple[int, ...]
    by_seed: Mapping[str, Mapping[int, float]]  # metric → seed → value, if the metric has one
    step_accuracy: Estimate | None
    charged_tokens: Estimate | None  # of the budget
    tokens: Mapping[str, Estimate | None]  # by kind
    seconds: Estimate | None
    decision_seconds: Estimate | None  # of the allocator, an interval
    profile_after: Mapping[str, Estimate | None]  # by capability
    allocation: Mapping[str, Estimate | None]  # share of the charged tokens, by capability

    def metric(self, name: str) -> Estimate | None:
        """Mean and spread of a metric over the seeds."""
        return estimate(list(self.by_seed[name].values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A trial without a result."""

    allocator: str
    seed: int
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The answers to a capability's prompts that were taught, over all trials; one that several trials bought counts in each."""

    examples: int
    verified: int  # of them, what the questions' verifiers accept
    samples: tuple[str, ...]  # a few answers, where an interval had none that verifies

    @property
    def share(self) -> float | None:
        """The share of answers that verify; None without any answer."""
        return self.verified / self.examples if self.examples else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run: its allocators, highest mean utility first, and its trials without a result."""

    suite: str  # "reasoning v1"
    requirement: Mapping[str, float]  # by capability, in suite order
    grid: tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]  # the allocators, objectives and budgets in tokens that ran
    profile_before: Mapping[str, Estimate | None]
    utility_before: float | None
    allocators: tuple[AllocatorSummary, ...]
    unfinished: tuple[Unfinished, ...]
    num_trials: int
    charged_tokens: int  # of all complete trials
    pilot_tokens: int | None  # charged by all pilots and pilot trials together; None if the run made none
    inferred: bool  # whether the requirement is the pilots'
    taught: Mapping[str, Taught]  # by capability; empty for older results, which do not say what verified
    own_answers: bool  # whether the student wrote some of them itself


def summarise(results: Results) -> Summary:
    """The summary of a run's results."""
    suite, complete = results.suite, results.complete
    capabilities = suite.capabilities
    values = metric_values(results)
    allocators = [_allocator(name, [t for t in complete if t.allocator == name], capabilities, values[name]) for name in values]
    before = [each for each in (results.pilots, results.profiling) if each is not None]
    return Summary(
        suite=f"{suite.name} v{suite.version}",
        requirement={capability: suite.requirement.get(capability, 0.0) for capability in capabilities},
        grid=(results.config.allocators, results.config.objectives, results.config.budgets),
        profile_before={c: estimate([t.profile.before[c] for t in complete]) for c in capabilities},
        utility_before=None if results.start is None else results.start.utility,
        allocators=tuple(sorted(allocators, key=lambda a: (-mean_or(a.metric("utility"), -1.0), a.name))),
        unfinished=tuple(
            Unfinished(allocator=t.allocator, seed=t.seed, status=t.status, reason=t.failure or "") for t in results.unfinished
        ),
        num_trials=len(results.trials),
        charged_tokens=sum(trial.tokens.charged for trial in complete),
        pilot_tokens=sum(each.tokens.charged for each in before) if before else None,
        inferred=results.config.requirement == "pilots" and results.pilots is not None,
        taught=_taught(results),
        own_answers=any(interval.tokens.rollout for trial in results.trials for interval in trial.intervals),
    )


def _taught(results: Results) -> dict[str, Taught]:
    counted = [(i, i.verified) for trial in results.trials for i in trial.intervals if i.verified is not None]
    if not counted:
        return {}
    return {
        c: Taught(
            examples=sum(interval.examples[c] for interval, _ in counted),
            verified=sum(verified[c] for _, verified in counted),
            samples=tuple(dict.fromkeys(answer for interval, _ in counted for answer in interval.unverified.get(c, ())))[:SAMPLES],
        )
        for c in results.suite.capabilities
    }


def mean_or(value: Estimate | None, otherwise: float) -> float:
    """The mean, or `otherwise` if there is none: a number to sort by."""
    return otherwise if value is None else value.mean


def _allocator(
    name: str, trials: Sequence[CompleteTrial], capabilities: Sequence[str], by_seed: Mapping[str, Mapping[int, float]]
) -> AllocatorSummary:
    return AllocatorSummary(
        name=name,
        budget_tokens=trials[0].budget_tokens,
        seeds=tuple(sorted(trial.seed for trial in trials)),
        by_seed=by_seed,
        step_accuracy=estimate([trial.metrics.step_accuracy for trial in trials]),
        charged_tokens=estimate([trial.tokens.charged for trial in trials]),
        tokens={kind: estimate([getattr(trial.tokens, kind) for trial in trials]) for kind in TOKEN_KINDS},
        seconds=estimate([trial.seconds.total for trial in trials]),
        decision_seconds=estimate([trial.seconds.allocator / len(trial.intervals) for trial in trials]),
        profile_after={c: estimate([trial.profile.after[c] for trial in trials]) for c in capabilities},
        allocation={c: estimate([trial.allocation.get(c, 0.0) for trial in trials]) for c in capabilities},
    )
