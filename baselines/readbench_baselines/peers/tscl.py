"""`tscl`: teacher-student curriculum learning, by the slope of the learning curve (Matiisen et al. 2017, arXiv 1707.00183).

    Q_i = slope of s_i over the last `window` intervals, by least squares (1 until two scores are known)
    π   = softmax(|Q|/temperature), or the largest |Q| with probability 1 − ε and any with ε

|Q|, since what is being forgotten should be taught again. The scores of all capabilities are known after each interval, taught or not, so
none is missing. The temperature is in score an interval: a capability that is learned moves by some hundredths. Equal slopes share alike,
where the published code draws one. w ∝ r·π by default: the rule itself knows no task.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, softmax


class TeacherStudent(Peer):
    """The allocator; `tscl` makes it."""

    def __init__(self, problem: Problem, prior: str, window: int, temperature: float, epsilon: float) -> None:
        self._temperature, self._epsilon = temperature, epsilon
        super().__init__(problem, prior, {"scores": np.zeros((window, problem.requirement.size)), "known": 0.0})

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees slopes alone
        """The policy over absolute slopes, times the prior."""
        size = np.abs(self._slopes())
        if self._epsilon > 0:
            best = size == size.max()
            return self.weighed((1.0 - self._epsilon) * best / best.sum() + self._epsilon / size.size)
        return self.weighed(softmax(size / self._temperature))

    def _slopes(self) -> Vector:
        """(K,) in score an interval."""
        known = min(int(self.memory["known"]), len(self.memory["scores"]))
        if known < 2:
            return np.ones_like(self.prior)
        time = np.arange(known) - (known - 1) / 2
        slopes: Vector = time @ self.memory["scores"][-known:] / (time @ time)
        return slopes

    def learn(self, feedback: Feedback) -> None:
        """Remembers the scores."""
        self.memory["scores"] = np.vstack([self.memory["scores"][1:], feedback.profile_after])
        self.memory["known"] = self.memory["known"] + 1


@allocator("tscl")
def tscl(
    problem: Problem, seed: int, *, prior: str = "requirement", window: int = 10, temperature: float = 0.02, epsilon: float = 0.0
) -> Allocator:
    """Teacher-student curriculum: the steepest learning curve, up or down; ε-greedy above ε = 0; prior: requirement or uniform."""
    between("window", window, 2, 1000)
    return TeacherStudent(problem, prior, window, between("temperature", temperature, 1e-6, 1e6), between("epsilon", epsilon, 0.0, 1.0))
