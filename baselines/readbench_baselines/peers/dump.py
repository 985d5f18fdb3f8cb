"""`dump`: an upper confidence bound on how much a source still teaches (DUMP, Wang et al. 2025, arXiv 2504.09710).

    U_i = A_i + √(2·ln(N + 1)/(n_i + 1)),    π = softmax(U/0.1),    n_i = examples taught, N = Σ n_i

There, A_i is the mean absolute advantage of the policy's rollouts. Distillation has no rollouts: here it is the mean |Δs_i| over the last
`window` intervals that taught i, as a multiple of the largest, so that it stays beside the second term as advantages do. w ∝ r·π by
default: the rule itself knows no task.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines.peers._peer import Peer, between, measured, softmax

TEMPERATURE = 0.1


class DUMP(Peer):
    """The allocator; `dump` makes it."""

    def __init__(self, problem: Problem, prior: str, window: int) -> None:
        size = problem.requirement.size
        super().__init__(
            problem, prior, {"progress": np.zeros((window, size)), "taught": np.zeros((window, size)), "examples": np.zeros(size)}
        )

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the rule sees progress alone
        """The softmax of the bounds, times the prior."""
        memory = self.memory
        counted = memory["taught"].sum(axis=0)
        mean = (np.abs(memory["progress"]) * memory["taught"]).sum(axis=0) / np.maximum(counted, 1.0)
        return self.weighed(softmax(bounds(mean / mean.max() if mean.any() else mean, memory["examples"]) / TEMPERATURE))

    def learn(self, feedback: Feedback) -> None:
        """Remembers the progress of what was taught."""
        memory, examples = self.memory, measured(feedback.examples, "the number of examples", "dump", self.prior.size)
        memory["progress"] = np.vstack([memory["progress"][1:], feedback.profile_after - feedback.profile_before])
        memory["taught"] = np.vstack([memory["taught"][1:], feedback.allocation > 0])
        memory["examples"] = memory["examples"] + examples


def bounds(advantage: Vector, examples: Vector) -> Vector:
    """(K,) upper confidence bounds."""
    result: Vector = advantage + np.sqrt(2.0 * np.log(max(1.0, examples.sum()) + 1.0) / (examples + 1.0))
    return result


@allocator("dump")
def dump(problem: Problem, seed: int, *, prior: str = "requirement", window: int = 4) -> Allocator:
    """DUMP: an upper confidence bound on absolute progress, through a softmax; prior: requirement or uniform."""
    return DUMP(problem, prior, int(between("window", window, 1, 1000)))
