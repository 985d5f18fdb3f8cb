"""`exp3s`: Exp3.S on learning progress (Graves et al. 2017, arXiv 1704.03003).

    r_i = Δs_i, rescaled to [−1, 1] by the 20 % and 80 % quantiles of all progress so far
    v_i = ω_i + η·r_i  for what was taught,    ω_i = log[(1 − a_t)·e^{v_i} + a_t/(K − 1)·Σ_{j≠i} e^{v_j}],    a_t = 1/t
    π   = (1 − ε)·softmax(ω) + ε/K

There, one task is drawn for a batch and its reward divided by its probability. An interval teaches many at once, so each task that was
taught counts as drawn, which is what importance weights give on average. η is 0.3 and not 0.001: an interval holds some 300 examples. t
starts at 2, since a_1 = 1 would forget the first of a dozen intervals. w ∝ r·π by default: the rule itself knows no task.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, softmax

LOW, HIGH = 0.2, 0.8  # quantiles that become −1 and 1


class Exp3S(Peer):
    """The allocator; `exp3s` makes it."""

    def __init__(self, problem: Problem, prior: str, eta: float, epsilon: float) -> None:
        self._eta, self._epsilon = eta, epsilon
        shape = problem.num_intervals, problem.requirement.size
        super().__init__(problem, prior, {"log_weight": np.zeros(shape[1]), "progress": np.zeros(shape), "taught": np.zeros(shape)})
        self.memory["intervals"] = np.array(0.0)

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees progress alone
        """The policy, times the prior."""
        policy = (1.0 - self._epsilon) * softmax(self.memory["log_weight"]) + self._epsilon / self.prior.size
        return self.weighed(policy)

    def learn(self, feedback: Feedback) -> None:
        """One update of Exp3.S."""
        memory, taught = self.memory, feedback.allocation > 0
        progress = feedback.profile_after - feedback.profile_before
        row = int(memory["intervals"]) % len(memory["progress"])
        memory["progress"][row], memory["taught"][row] = progress, taught
        memory["intervals"] = memory["intervals"] + 1
        gain = memory["log_weight"] + self._eta * np.where(taught, rescaled(progress, memory["progress"][memory["taught"] > 0]), 0.0)
        memory["log_weight"] = shared(gain, 1.0 / (float(memory["intervals"]) + 1.0))


def rescaled(progress: Vector, known: Vector) -> Vector:
    """(K,) in [−1, 1]: the quantiles of all known progress (N,) become the ends; 0 where they are equal."""
    low, high = np.quantile(known, [LOW, HIGH])
    if high <= low:
        return np.zeros_like(progress)
    result: Vector = np.clip(2.0 * (progress - low) / (high - low) - 1.0, -1.0, 1.0)
    return result


def shared(gain: Vector, share: float) -> Vector:
    """(K,) log-weights, the share of each one's weight spread over the others."""
    if gain.size == 1:
        return gain
    weight = np.exp(gain - gain.max())
    others = (weight.sum() - weight) / (gain.size - 1)
    result: Vector = np.log((1.0 - share) * weight + share * others)
    return result


@allocator("exp3s")
def exp3s(problem: Problem, seed: int, *, prior: str = "requirement", eta: float = 0.3, epsilon: float = 0.05) -> Allocator:
    """Exp3.S on learning progress, rescaled by its quantiles; prior: requirement or uniform."""
    return Exp3S(problem, prior, between("eta", eta, 0.0, 100.0), between("epsilon", epsilon, 0.0, 1.0))
