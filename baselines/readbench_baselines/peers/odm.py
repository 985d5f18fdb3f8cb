"""`odm`: Online Data Mixing, Exp3 on the training loss (Albalak et al. 2023, arXiv 2312.02406).

    R_i += L_i / (10·π_i)                       L_i = loss of source i in nats, 0 for what was not taught
    π    = (1 − K·e_t)·softmax(e_{t−1}·R) + e_t,    e_t = min(1/K, √(ln K / (K·t)))

What is badly known gets more. Two things are adapted. There, t counts batches, thousands of them; with a dozen decisions e_t = 1/K and π
is exactly uniform to the end, so an interval counts as `rounds` batches. And the prior: w ∝ r·π, since the rule itself knows no task.
With ``rounds=1`` and ``prior=uniform`` the update is the published one.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, softmax

SCALE = 10.0  # the published code divides losses by it


class OnlineDataMixing(Peer):
    """The allocator; `odm` makes it."""

    def __init__(self, problem: Problem, prior: str, rounds: int) -> None:
        size = problem.requirement.size
        self._rounds = rounds
        even = np.full(size, 1.0 / size)
        super().__init__(problem, prior, {"estimate": np.zeros(size), "policy": even, "exploration": 1.0 / size, "rounds": 0.0})

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees losses alone
        """The policy, times the prior."""
        return self.weighed(self.memory["policy"])

    def learn(self, feedback: Feedback) -> None:
        """One update of Exp3, for `rounds` batches."""
        memory, loss = self.memory, feedback.train_loss
        memory["estimate"] = memory["estimate"] + self._rounds * np.where(np.isnan(loss), 0.0, loss) / (SCALE * memory["policy"])
        memory["rounds"] = memory["rounds"] + self._rounds
        size = loss.size
        exploration = np.minimum(1.0 / size, np.sqrt(np.log(size) / (size * memory["rounds"])))
        memory["policy"] = (1.0 - size * exploration) * softmax(memory["exploration"] * memory["estimate"]) + exploration
        memory["exploration"] = np.array(exploration)


@allocator("odm")
def odm(problem: Problem, seed: int, *, prior: str = "requirement", rounds: int = 25) -> Allocator:
    """Online Data Mixing: Exp3 on the training loss; an interval counts as so many rounds; prior: requirement or uniform."""
    return OnlineDataMixing(problem, prior, int(between("rounds", rounds, 1, 10_000)))
