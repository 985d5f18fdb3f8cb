"""`skill-it` and `skill-it-pilots`: multiplicative weights over a graph of skills (Skill-it, Chen et al. 2023, arXiv 2307.14430).

    w_i ∝ r_i·exp(η·Σ_j A_ij·Σ_{last 3} ℓ_j),    ℓ_j = 1 − s_j for what the task needs, else 0

A_ij is how much training on i helps j, between 0 and 1. The paper finds the graph by training on each skill and each pair before the run.
`skill-it-pilots` takes it from the run's pilots, once; `skill-it` learns it online from the mixes that were played; both by ridge
regression of Δs on w, negative entries to 0 and the largest to 1. Until something is known the graph is the identity. There, ℓ is the
loss on validation data, here what is missing to a perfect score, which is bounded as the graph is. r is the rule's own prior ("mw_prior" in
the published code), and what it needs are its target skills.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers import _transfer
from readbench_baselines.peers._peer import Peer, between, softmax

WINDOW = 3


class SkillIt(Peer):
    """The allocator; `skill_it` and `skill_it_pilots` make it."""

    def __init__(self, problem: Problem, prior: str, eta: float, *, online: bool) -> None:
        size = problem.requirement.size
        self._eta, self._online = eta, online
        super().__init__(problem, prior, {"missing": np.zeros((WINDOW, size))} | _transfer.no_evidence(size))
        if not online:
            for pilot in problem.pilots:
                _transfer.add(self.memory, pilot)

    def propose(self, observation: Observation) -> Vector:
        """The prior, multiplied by what each capability does for what is missing."""
        missing = self.memory["missing"].sum(axis=0) if self.memory["missing"].any() else 1.0 - observation.profile
        graph = np.maximum(_transfer.transfer(self.memory), 0.0)
        return self.weighed(
            multiplied(_transfer.scaled(graph) if graph.any() else np.eye(self.prior.size), missing * (self.prior > 0), self._eta)
        )

    def learn(self, feedback: Feedback) -> None:
        """Remembers what is missing, and what the mix did."""
        self.memory["missing"] = np.vstack([self.memory["missing"][1:], 1.0 - feedback.profile_after])
        if self._online:
            _transfer.add(self.memory, feedback)


def multiplied(graph: _transfer.Matrix, missing: Vector, eta: float) -> Vector:
    """(K,) exp(η·A·ℓ), on the simplex."""
    return softmax(eta * graph @ missing)


@allocator("skill-it")
def skill_it(problem: Problem, seed: int, *, prior: str = "requirement", eta: float = 0.5) -> Allocator:
    """Skill-it: multiplicative weights over a graph of transfer, learned online; prior: requirement or uniform."""
    return SkillIt(problem, prior, between("eta", eta, 0.0, 100.0), online=True)


@allocator("skill-it-pilots", pilots=True)
def skill_it_pilots(problem: Problem, seed: int, *, prior: str = "requirement", eta: float = 0.5) -> Allocator:
    """Skill-it with the graph that the run's pilots show; prior: requirement or uniform."""
    return SkillIt(problem, prior, between("eta", eta, 0.0, 100.0), online=False)
