"""A simulated trial: a fitted student in place of a real one, with its noise. It says how rules would fare, and replaces no real trial."""

import numpy as np

from readbench.api import Feedback, Observation, Problem, Vector
from readbench.base.seeds import derive_seed
from readbench.trials.environments.base import RECENT, Step
from readbench.trials.environments.problem import interval_tokens
from readbench.trials.environments.simulation.fitted import FittedStudent, Standing, falls, learning_time, scores_of, spread
from readbench.trials.environments.stopwatch import Stopwatch
from readbench.trials.metrics import reward


class Simulated:
    """One trial of a fitted student; see `readbench.trials.environments.base.Playable`. Trials of a seed share their noise."""

    def __init__(self, problem: Problem, student: FittedStudent, *, seed: int, dev_every: int, show_dev: bool) -> None:
        self.problem = problem
        self.watch = Stopwatch()
        self.interval = 0
        rates = np.ones(problem.num_intervals) if problem.learning_rate is None else problem.learning_rate
        self._times, self._falls = learning_time(rates), falls(rates)
        self._student = student
        self._dev_every, self._show_dev = dev_every, show_dev
        draw = np.random.default_rng(derive_seed("simulated", seed))
        shape = problem.num_intervals + 1, problem.requirement.size
        loudness = np.append(0.0, rates)[:, np.newaxis]  # all trials begin with the same student, measured on the same probes
        self._walk = draw.standard_normal(shape) * student.walk * loudness / np.sqrt(problem.num_intervals)
        self._fluctuation = draw.standard_normal(shape) * student.fluctuation * loudness
        self._exact_noise = draw.standard_normal(shape) * student.right_sd
        self._utility_noise = draw.standard_normal(shape[0]) * student.value_sd
        self._exact_noise[0] = 0.0
        self._standing: Standing = student.begin()
        self._recent: tuple[Feedback, ...] = ()
        self._logits = self._standing.logits  # as the probes show them
        self.profiles = [scores_of(self._logits)]  # (K,) before the first interval, and after each

    def observe(self) -> Observation:
        """What the allocator may know before the next interval."""
        measured = self.interval % self._dev_every == 0
        return Observation(
            interval=self.interval,
            profile=self.profiles[-1],
            budget_left=1.0 - self.interval / self.problem.num_intervals,
            recent=self._recent,
            exact=self._exact(),
            dev_utility=self.utility() if measured and self._show_dev else None,
        )

    def step(self, allocation: Vector) -> Step:
        """Plays the next interval."""
        t, problem, student = self.interval, self.problem, self._student
        before, exact_before, loss_before = self.profiles[-1], self._exact(), student.probe_loss(self._logits)
        moved = student.moved(self._standing, allocation, self._times[t], self._falls[t])
        scale = spread(before)
        walked = moved.logits + self._walk[t + 1] / scale
        self._standing = Standing(logits=walked, recency=moved.recency)
        self._logits = walked + self._fluctuation[t + 1] / scale
        self.interval += 1
        after = scores_of(self._logits)
        self.profiles.append(after)
        tokens = interval_tokens(problem.budget_tokens, problem.num_intervals, t)
        feedback = Feedback(
            interval=t,
            allocation=allocation,
            tokens=tokens,
            profile_before=before,
            profile_after=after,
            train_loss=np.where(allocation > 0.0, loss_before, np.nan),
            reward=reward(
                before,
                after,
                problem.requirement,
                beta=problem.reward.beta,
                cost=problem.reward.cost * tokens / problem.budget_tokens,
                top_k=problem.reward.top_k,
            ),
            standard_error=student.standard_error,
            exact_before=exact_before,
            exact_after=self._exact(),
            probe_loss_before=loss_before,
            probe_loss_after=student.probe_loss(self._logits),
            examples=np.round(allocation * tokens / student.example_tokens),
        )
        self._recent = (*self._recent, feedback)[-RECENT:]
        return Step(feedback=feedback, charged_tokens=problem.budget_tokens * self.interval // problem.num_intervals, record={})

    def utility(self) -> float:
        """The student's utility now, with a test's noise."""
        return float(np.clip(self._student.utility(self._logits) + self._utility_noise[self.interval], 0.0, 1.0))

    def _exact(self) -> Vector:
        """(K,) exact match as so many probes would show it."""
        probes = self.problem.num_probes
        noisy: Vector = np.clip(self._student.exact(self._logits) + self._exact_noise[self.interval], 0.0, 1.0)
        return np.round(noisy * probes) / probes
