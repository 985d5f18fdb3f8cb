"""`paced`: w ∝ r·p·(1 − p), p the rate of right answers (PACED, Xu et al. 2026, arXiv 2603.11178).

The gradient's signal is lost where a student gets all right or nothing. The paper weighs problems by it; here it weighs capabilities, p
from their probes by Laplace's rule, since with 0 of 40 right the weight would be 0 for good. r is a factor by default.
"""

from readbench.api import Allocator, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, measured, success_rate


class Paced(Peer):
    """The allocator; `paced` makes it."""

    def __init__(self, problem: Problem, prior: str) -> None:
        self._num_probes = problem.num_probes
        super().__init__(problem, prior, {})

    def propose(self, observation: Observation) -> Vector:
        """What is neither known nor out of reach, times the prior."""
        rate = success_rate(measured(observation.exact, "exact match on the probes", "paced", self.prior.size), self._num_probes)
        return self.weighed(rate * (1.0 - rate))


@allocator("paced")
def paced(problem: Problem, seed: int, *, prior: str = "requirement") -> Allocator:
    """PACED: where about half of the answers are right; prior: requirement or uniform."""
    return Paced(problem, prior)
