"""`ado`: a scaling law for each source, and tokens where it is steep (Adaptive Data Optimization, Jiang et al. 2024, arXiv 2410.11820).

    L_i(n) ≈ E + A·n^(−α),    slope_i = α·(L_i − E)/n
    d ∝ slope_i·r_i·√h_i, none below 0.01;    π = (1 − m)·mean(d so far) + m·d

L is the loss on the probes, n all tokens so far (as in the published code, which counts every source's as its own), h the average of the
shares that were played, at 0.9. There, losses of thousands of steps are fitted by L-BFGS and m is 0.1; here there is one loss an interval,
so E and α are taken from a grid and A by least squares on log L, fits begin at three losses, and m is 0.5. r takes the place of the
sources' sizes.
"""

import numpy as np
import numpy.typing as npt

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured

LEAST_SHARE, HISTORY_KEPT, FIRST_FIT = 0.01, 0.9, 3
EXPONENTS = np.linspace(0.05, 0.8, 16)
FLOORS = np.linspace(0.0, 0.95, 20)  # of E, as a share of the least loss so far


class AdaptiveDataOptimization(Peer):
    """The allocator; `ado` makes it."""

    def __init__(self, problem: Problem, prior: str, newest: float) -> None:
        self._newest = newest
        size, intervals = problem.requirement.size, problem.num_intervals
        super().__init__(problem, prior, {"losses": np.zeros((intervals, size)), "tokens": np.zeros(intervals)})
        self.memory |= {"intervals": np.array(0.0), "fits": np.array(0.0)}
        self.memory |= {"history": self.prior.copy(), "average": self.prior.copy(), "policy": self.prior.copy()}

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees losses alone
        """The policy: the prior has its place in it."""
        policy: Vector = self.memory["policy"] / self.memory["policy"].sum()
        return policy

    def learn(self, feedback: Feedback) -> None:
        """Fits the laws anew."""
        memory, size = self.memory, self.prior.size
        t = int(memory["intervals"])
        if t == len(memory["tokens"]):
            return  # a feedback beyond the trial's last interval has no decision to serve
        memory["losses"][t] = measured(feedback.probe_loss_after, "the loss on the probes", "ado", size)
        memory["tokens"][t] = feedback.tokens + (memory["tokens"][t - 1] if t else 0.0)
        memory["intervals"] = memory["intervals"] + 1
        memory["history"] = HISTORY_KEPT * memory["history"] + (1.0 - HISTORY_KEPT) * feedback.allocation
        if t + 1 < FIRST_FIT:
            return
        wanted = self.prior * slopes(memory["tokens"][: t + 1], memory["losses"][: t + 1]) * np.sqrt(memory["history"])
        target = no_less(wanted / wanted.sum() if wanted.sum() > 0 else self.prior, self.prior > 0)
        memory["policy"] = (1.0 - self._newest) * memory["average"] + self._newest * target
        memory["fits"] = memory["fits"] + 1
        memory["average"] = memory["average"] + (target - memory["average"]) / (memory["fits"] + 1)


def slopes(tokens: Vector, losses: Vector) -> Vector:
    """(K,) −dL/dn at the last of N points, losses (N, K), in nats by the first interval's tokens; 0 for a curve that does not fall."""
    time = tokens / tokens[0]
    powers = np.exp(-EXPONENTS[:, np.newaxis] * np.log(time))  # (α, N)
    curves = np.maximum(losses.T, 1e-6)  # (K, N)
    floors = FLOORS[:, np.newaxis] * curves.min(axis=1)  # (E, K)
    scale = np.maximum((curves - floors[..., np.newaxis]) @ powers.T, 0.0) / (powers**2).sum(axis=1)  # (E, K, α): the A that fits best
    fitted = floors[..., np.newaxis, np.newaxis] + scale[..., np.newaxis] * powers  # (E, K, α, N)
    error = ((np.log(np.maximum(fitted, 1e-6)) - np.log(curves)[:, np.newaxis]) ** 2).sum(axis=-1)
    steepness = scale * EXPONENTS * powers[:, -1] / time[-1]
    best = np.transpose(error, (1, 0, 2)).reshape(len(curves), -1).argmin(axis=1)
    result: Vector = np.take_along_axis(np.transpose(steepness, (1, 0, 2)).reshape(len(curves), -1), best[:, np.newaxis], 1)[:, 0]
    return result


def no_less(shares: Vector, wanted: npt.NDArray[np.bool_]) -> Vector:
    """(K,) on the simplex, none of the wanted ones below LEAST_SHARE before it is normalised."""
    raised = np.where(wanted, np.maximum(shares, LEAST_SHARE), shares)
    result: Vector = raised / raised.sum()
    return result


@allocator("ado")
def ado(problem: Problem, seed: int, *, prior: str = "requirement", newest: float = 0.5) -> Allocator:
    """Adaptive Data Optimization: tokens where the fitted scaling law of the loss is steep; prior: requirement or uniform."""
    return AdaptiveDataOptimization(problem, prior, between("newest", newest, 0.0, 1.0))
