"""What a trial's allocator may know before it begins."""

from dataclasses import asdict, replace

from readbench.api import Feedback, Problem, RewardTerms
from readbench.students.schedule import learning_rates
from readbench.suites.suite import RewardConfig, Suite
from readbench.trials.briefing import Briefing
from readbench.trials.feedback import frozen, interval_reward
from readbench.trials.spec import TrialSpec


def problem_of(spec: TrialSpec, suite: Suite, briefing: Briefing) -> Problem:
    """The problem of a trial, its budget without what it pays for pilots."""
    pilots = briefing.pilots if spec.pilots is not None else ()  # its id says what a trial depends on: it is told no more
    profiling = _rewarded(briefing, suite.config.reward, spec.budget_tokens) if spec.profiling is not None else ()
    pilot_tokens = sum(pilot.tokens for pilot in pilots) + sum(feedback.tokens for trial in profiling for feedback in trial)
    return Problem(
        capabilities=suite.capabilities,
        requirement=frozen(briefing.requirement),
        teacher_profile=None if briefing.teacher_profile is None else frozen(briefing.teacher_profile),
        budget_tokens=spec.budget_tokens - (pilot_tokens if spec.pilots is not None and spec.pilots.charged else 0),
        num_intervals=spec.num_intervals,
        pilots=pilots,
        profiling=profiling,
        pilot_tokens=pilot_tokens,
        composition=suite.known_composition if spec.requirement == "card" else None,
        reward=RewardTerms(**asdict(suite.config.reward)),
        num_probes=spec.num_probes,
        learning_rate=frozen(learning_rates(spec.training, spec.num_intervals, spec.horizon)),
        teacher_exact=None if briefing.teacher_exact is None else frozen(briefing.teacher_exact),
        teacher_loss=None if briefing.teacher_loss is None else frozen(briefing.teacher_loss),
    )


def _rewarded(briefing: Briefing, rewarded: RewardConfig, budget_tokens: int) -> tuple[tuple[Feedback, ...], ...]:
    """The pilot trials with the rewards of the requirement that this run uses."""

    def again(feedback: Feedback) -> Feedback:
        earned = interval_reward(
            feedback.profile_before,
            feedback.profile_after,
            feedback.tokens,
            requirement=briefing.requirement,
            rewarded=rewarded,
            budget_tokens=budget_tokens,
        )
        return replace(feedback, reward=earned)

    return tuple(tuple(again(feedback) for feedback in trial) for trial in briefing.profiling)


def interval_tokens(budget: int, num_intervals: int, interval: int) -> int:
    """The interval's equal part of the budget, to the token: the parts of all intervals sum to the budget."""
    return budget * (interval + 1) // num_intervals - budget * interval // num_intervals
