"""`gap-kl`: by the log-probability that the student lacks, three intervals of four (arXiv 2605.27115).

    w_i ∝ r_i·max(0, mean over the probes of log T − log S),    every fourth interval, and the first, a general mix

log T − log S is the student's loss on the probes minus the teacher's, in nats a token. The general mix is uniform, and keeps what the gap
does not ask for. There, gaps and general data alternate 3 : 1 by training step, here by interval. r is a factor by default.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured


class GapKL(Peer):
    """The allocator; `gap_kl` makes it."""

    def __init__(self, problem: Problem, prior: str, period: int) -> None:
        self._reference, self._period = problem.teacher_loss, period
        super().__init__(problem, prior, {"gap": np.zeros(problem.requirement.size)})

    def propose(self, observation: Observation) -> Vector:
        """The gap, times the prior; a uniform mix every `period`-th interval."""
        measured(self._reference, "the teacher's loss on the probes", "gap-kl", self.prior.size)
        if observation.interval % self._period == 0:
            return np.full_like(self.prior, 1.0 / self.prior.size)
        return self.weighed(self.memory["gap"])

    def learn(self, feedback: Feedback) -> None:
        """Remembers the gap."""
        reference = measured(self._reference, "the teacher's loss on the probes", "gap-kl", self.prior.size)
        loss = measured(feedback.probe_loss_after, "the loss on the probes", "gap-kl", self.prior.size)
        self.memory["gap"] = np.maximum(loss - reference, 0.0)


@allocator("gap-kl")
def gap_kl(problem: Problem, seed: int, *, prior: str = "requirement", period: int = 4) -> Allocator:
    """The teacher's log-probability minus the student's, with a general mix every fourth interval; prior: requirement or uniform."""
    return GapKL(problem, prior, int(between("period", period, 2, 1000)))
