"""`tac`: what is learned and helps the others (Transfer-Aware Curriculum, Yang et al. 2026, arXiv 2606.25178).

    score_i = l_i·(1 + α·t_i),    π = (1 − ε)·softmax(score/temperature) + ε/K

There, l_i is the mean absolute advantage of rollouts and t_i the cosine of i's projected gradient with those of the other domains.
Neither exists in a harness that sees scores alone: here l_i is the average of |Δs_i| over the intervals that taught i, as a multiple of
the largest, and t_i the mean of A_ij over j ≠ i, with A the transfer that ridge regression finds in the mixes that were played, its largest
entry at 1. w ∝ r·π by default: the rule itself knows no task.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers import _transfer
from readbench_baselines.peers._peer import Peer, between, softmax

KEPT = 0.7  # of the average of |Δs|, an interval
SMOOTHING = 0.1  # ε


class TransferAware(Peer):
    """The allocator; `tac` makes it."""

    def __init__(self, problem: Problem, prior: str, alpha: float, temperature: float) -> None:
        size = problem.requirement.size
        self._alpha, self._temperature = alpha, temperature
        super().__init__(problem, prior, {"progress": np.zeros(size)} | _transfer.no_evidence(size))

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees progress alone
        """The softmax of the scores, times the prior."""
        progress, size = self.memory["progress"], self.prior.size
        learned = progress / progress.max() if progress.any() else np.ones(size)
        effects = _transfer.scaled(_transfer.transfer(self.memory))
        helped = (effects.sum(axis=1) - np.diag(effects)) / max(size - 1, 1)
        policy = softmax(learned * (1.0 + self._alpha * helped) / self._temperature)
        return self.weighed((1.0 - SMOOTHING) * policy + SMOOTHING / size)

    def learn(self, feedback: Feedback) -> None:
        """Adds what was learned, and what the mix did."""
        size = np.abs(feedback.profile_after - feedback.profile_before)
        averaged = KEPT * self.memory["progress"] + (1.0 - KEPT) * size
        self.memory["progress"] = np.where(feedback.allocation > 0, averaged, self.memory["progress"])
        _transfer.add(self.memory, feedback)


@allocator("tac")
def tac(problem: Problem, seed: int, *, prior: str = "requirement", alpha: float = 1.0, temperature: float = 0.3) -> Allocator:
    """Transfer-aware curriculum: progress, raised where training helps the others; prior: requirement or uniform."""
    return TransferAware(problem, prior, between("alpha", alpha, 0.0, 100.0), between("temperature", temperature, 1e-3, 1e6))
