"""`doremi`: group distributionally robust weights over the excess loss (DoReMi, Xie et al. 2023, arXiv 2305.10429).

    log w_i += η·max(0, L_student,i − L_teacher,i),    w = (1 − ε)·normalised + ε/K

The reference is the teacher, on the same probes; in the paper it is a small model trained on the whole mix, and the weights of all steps
are averaged for a second training. Here they are played as they come. There, excess is clipped at 0 token by token, here by capability;
ε is 0.01 and not 0.0001, which a dozen updates would never feel; η = 1 as there. w starts at r; with ``prior=uniform`` the update is the
published one. The first interval plays the prior: no loss is known yet.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured


class DoReMi(Peer):
    """The allocator; `doremi` makes it."""

    def __init__(self, problem: Problem, prior: str, eta: float, epsilon: float) -> None:
        self._reference, self._eta, self._epsilon = problem.teacher_loss, eta, epsilon
        super().__init__(problem, prior, {})
        self.memory["weight"] = self.prior.copy()

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees losses alone
        """The weights."""
        measured(self._reference, "the teacher's loss on the probes", "doremi", self.prior.size)
        weight: Vector = self.memory["weight"] / self.memory["weight"].sum()
        return weight

    def learn(self, feedback: Feedback) -> None:
        """One update of the weights."""
        reference = measured(self._reference, "the teacher's loss on the probes", "doremi", self.prior.size)
        loss = measured(feedback.probe_loss_after, "the loss on the probes", "doremi", self.prior.size)
        self.memory["weight"] = reweighed(self.memory["weight"], loss - reference, self._eta, self._epsilon)


def reweighed(weight: Vector, excess: Vector, eta: float, epsilon: float) -> Vector:
    """(K,) the weights after one update with the excess loss (K,) in nats."""
    gain = eta * np.maximum(excess, 0.0)
    raised = weight * np.exp(gain - gain.max())
    result: Vector = (1.0 - epsilon) * raised / raised.sum() + epsilon / weight.size
    return result


@allocator("doremi")
def doremi(problem: Problem, seed: int, *, prior: str = "requirement", eta: float = 1.0, epsilon: float = 0.01) -> Allocator:
    """DoReMi: what is furthest behind the teacher's loss grows, from the prior; prior: requirement or uniform."""
    return DoReMi(problem, prior, between("eta", eta, 0.0, 100.0), between("epsilon", epsilon, 1e-9, 1.0))
