"""`dynamix`: prior-scaled Boltzmann exploration (DynamixSFT, arXiv 2508.12116).

    π_i = (1 − γ)·r_i·e^{β·Q_i} / Σ_j r_j·e^{β·Q_j} + γ/K,    γ = 0.3, β = 4
    Q_i = a·Q_i + (1 − a)·x_i,    x_i = (ℓ_i − ℓ'_i)/ℓ_i, by the largest magnitude over the capabilities

ℓ and ℓ' are the losses on the probes before and after; there, each source has a look-ahead step of its own, here the interval that was
played is the look-ahead, and counts for what it taught. The average is a = 0.6 and not 0.95 an update: an interval stands for ten. r is in
the rule already, where the paper has the sizes of the sources; γ/K goes to every capability, needed or not.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured

MIXED, SHARPNESS = 0.3, 4.0  # γ and β


class Dynamix(Peer):
    """The allocator; `dynamix` makes it."""

    def __init__(self, problem: Problem, prior: str, kept: float) -> None:
        self._kept = kept
        super().__init__(problem, prior, {"value": np.zeros(problem.requirement.size)})

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees losses alone
        """The prior, tilted to what improves, and a share of everything."""
        return (1.0 - MIXED) * self.weighed(np.exp(SHARPNESS * self.memory["value"])) + MIXED / self.prior.size

    def learn(self, feedback: Feedback) -> None:
        """Adds the relative improvement of what was taught to its average."""
        before = measured(feedback.probe_loss_before, "the loss on the probes", "dynamix", self.prior.size)
        improvement = (before - feedback.probe_loss_after) / np.maximum(before, 1e-6)
        largest = np.abs(improvement).max()
        taught = feedback.allocation > 0
        averaged = self._kept * self.memory["value"] + (1.0 - self._kept) * (improvement / largest if largest > 0 else improvement)
        self.memory["value"] = np.where(taught, averaged, self.memory["value"])


@allocator("dynamix")
def dynamix(problem: Problem, seed: int, *, prior: str = "requirement", kept: float = 0.6) -> Allocator:
    """DynamixSFT: the prior, tilted to what improves relative to its loss, and 0.3 over everything; prior: requirement or uniform."""
    return Dynamix(problem, prior, between("kept", kept, 0.0, 1.0))
