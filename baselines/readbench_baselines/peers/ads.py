"""`ads`: the distribution over clusters of Adaptive Data Scheduling (Xu et al. 2026, arXiv 2606.22305).

    π ← 0.7·π + 0.3·p/Σp,    p_i = rate of right answers on the probes

It solidifies what already succeeds. The paper's other half chooses prompts whose rate is within 0.17 of ½ inside a cluster; which prompts
of a capability are taught is the curriculum's decision here, not an allocator's. p follows Laplace's rule, so that a capability without a
right answer keeps a share. w ∝ r·π by default: the rule itself knows no task.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured, success_rate


class AdaptiveDataScheduling(Peer):
    """The allocator; `ads` makes it."""

    def __init__(self, problem: Problem, prior: str, step: float) -> None:
        size = problem.requirement.size
        self._step, self._num_probes = step, problem.num_probes
        super().__init__(problem, prior, {"policy": np.full(size, 1.0 / size)})

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees what feedback says
        """The policy, times the prior."""
        return self.weighed(self.memory["policy"])

    def learn(self, feedback: Feedback) -> None:
        """One step towards the rates."""
        exact = measured(feedback.exact_after, "exact match on the probes", "ads", self.prior.size)
        self.memory["policy"] = stepped(self.memory["policy"], success_rate(exact, self._num_probes), self._step)


def stepped(policy: Vector, rate: Vector, step: float) -> Vector:
    """(K,) the policy after one step towards the rates (K,), normalised."""
    moved: Vector = (1.0 - step) * policy + step * rate / rate.sum()
    shares: Vector = moved / moved.sum()
    return shares


@allocator("ads")
def ads(problem: Problem, seed: int, *, prior: str = "requirement", step: float = 0.3) -> Allocator:
    """Adaptive data scheduling: steps towards what succeeds; prior: requirement or uniform."""
    return AdaptiveDataScheduling(problem, prior, between("step", step, 0.0, 1.0))
