"""`aioli`: probes the effect of each source, then multiplies the mix (Aioli, Chen et al. 2024, arXiv 2411.05735).

    a smoothed one-hot of i (0.75 to i, the rest over the others), in turn;  P·A = Δs for A;
    w_i ← w_i·exp(η·Σ_j r_j·K·A_ij),    A shifted to a least entry of 0 and divided by its sum

There, every round spends a part on such probes of all sources, a few batches each. An interval is the shortest that can be measured here,
and a dozen of them hold no full sweep: each third interval is the probe of one capability with r > 0, the most needed first, and A comes
from all intervals so far by ridge regression, older ones at 0.9. r is where w starts, and weighs the losses; with ``prior=uniform`` the
update is the published one.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers import _transfer
from readbench_baselines.peers._peer import Peer, between

ONE_HOT = 0.75
KEPT = 0.9  # of what earlier intervals showed


class Aioli(Peer):
    """The allocator; `aioli` makes it."""

    def __init__(self, problem: Problem, prior: str, eta: float, every: int) -> None:
        self._eta, self._every = eta, every
        size = problem.requirement.size
        super().__init__(problem, prior, {"mix": np.ones(size)} | _transfer.no_evidence(size))
        self._turns = [int(c) for c in np.argsort(-self.prior, kind="stable") if self.prior[c] > 0]

    def propose(self, observation: Observation) -> Vector:
        """The mix; in each `every`-th interval a smoothed one-hot of the next capability."""
        turn, rest = divmod(observation.interval, self._every)
        if rest < self._every - 1 or self.prior.size == 1:
            return self.weighed(self.memory["mix"])
        probed = self._turns[turn % len(self._turns)]
        allocation = np.full(self.prior.size, (1.0 - ONE_HOT) / (self.prior.size - 1))
        allocation[probed] = ONE_HOT
        return allocation

    def learn(self, feedback: Feedback) -> None:
        """Estimates the effects anew and multiplies the mix by them."""
        _transfer.add(self.memory, feedback, KEPT)
        mix = multiplied(self.memory["mix"], _transfer.transfer(self.memory), self.prior * self.prior.size, self._eta)
        self.memory["mix"] = mix / mix.max()


def multiplied(mix: Vector, effects: _transfer.Matrix, importance: Vector, eta: float) -> Vector:
    """(K,) the mix times exp(η·Σ_j importance_j·A_ij), A (K, K) shifted to no negative entry and divided by its sum."""
    shifted = effects - min(0.0, effects.min())
    total = shifted.sum()
    result: Vector = mix * np.exp(eta * (shifted / total if total > 0 else shifted) @ importance)
    return result


@allocator("aioli")
def aioli(problem: Problem, seed: int, *, prior: str = "requirement", eta: float = 1.0, every: int = 3) -> Allocator:
    """Aioli: smoothed one-hots in turn show the effect of each capability, which multiplies the mix; prior: requirement or uniform."""
    return Aioli(problem, prior, between("eta", eta, 0.0, 100.0), int(between("every", every, 2, 1000)))
