"""`learnable`: w_c ∝ r_c·√(s_c·(C_c − s_c)), with less for what does not move although it is fed (our own rule; docs/method.md §6).

The first factor is where a task's score can still rise: what is at 0 or at its ceiling C (the teacher's score, or 1) moves least for a
token. The second is evidence. Y = (Δ s^q)/(C^q − s^q) is the share of the room that an interval won, with q = 2.5 because scores near 0
move late; a capability's rate is Y a share of the tokens, by weighted least squares that forgets, with the mean rate as its prior.
What learns at less than 0.4 of the mean rate is fed less, by the square.
"""

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Problem, Vector, allocator
from readbench_baselines._memory import Memory

POWER = 2.5  # q
FORGOTTEN = 0.85  # what an interval leaves of the evidence before it
KEPT = 0.3  # of the last allocation in the next one
REPLAY = 0.01  # to every capability, equally
SLOW = 0.4  # of the mean rate: below it a capability is fed less
ROOM_LEFT = 0.1  # below it nothing more is expected of a capability, and nothing held against it


class Learnable(Memory):
    """The allocator; `learnable` makes it."""

    def __init__(self, problem: Problem) -> None:
        self._requirement = problem.requirement
        self._ceiling = np.ones_like(self._requirement) if problem.teacher_profile is None else problem.teacher_profile
        zeros = np.zeros_like(self._requirement)
        names = ("precision", "weighted", "fed", "won", "setback", "last")
        super().__init__(dict.fromkeys(names, zeros) | {"intervals": 0.0})

    def propose(self, observation: Observation) -> Vector:
        """Where there is room, evidence and need."""
        memory, score = self.memory, observation.profile
        base = self._requirement * np.sqrt(np.maximum(score, 0.05) * np.maximum(self._ceiling - score, 0.001))
        weights = base * np.minimum(1.0, self._evidence(score) / SLOW) ** 2
        allocation = (1.0 - REPLAY) * weights / weights.sum() + REPLAY / len(weights)
        if memory["intervals"] > 0 and memory["last"].any():
            allocation = KEPT * memory["last"] + (1.0 - KEPT) * allocation
        result: Vector = allocation / allocation.sum()
        return result

    def _evidence(self, score: Vector) -> Vector:
        """(K,) how fast each needed capability learns, as a multiple of their mean rate; 1 where nothing is known."""
        memory, needed = self.memory, self._requirement > 0
        evidence = np.ones_like(score)
        fed = memory["fed"][needed].sum()
        if fed > 0:
            mean = max(memory["won"][needed].sum() / fed, 0.01)
            prior = (0.5 * mean) ** -2
            rate = (prior * mean + memory["weighted"]) / (prior + memory["precision"])
            evidence[needed] = np.clip(rate / mean, 0.02, 3.0)[needed]
            evidence[self._ceiling - score < ROOM_LEFT] = 1.0
        return evidence

    def update(self, feedback: Feedback) -> None:
        """Adds an interval's evidence; the first one is the optimiser's shock and says nothing."""
        memory, share, before = self.memory, feedback.allocation, feedback.profile_before
        memory["last"] = share.copy()
        memory["intervals"] = memory["intervals"] + 1
        if memory["intervals"] == 1:
            return
        room = np.maximum(self._ceiling**POWER - before**POWER, 0.05)
        slope = POWER * np.maximum((feedback.profile_after + before) / 2, 0.1) ** (POWER - 1)
        won = (feedback.profile_after**POWER - before**POWER) / room
        memory["setback"] = np.maximum(FORGOTTEN * memory["setback"], -won)
        variance = ((0.003 + 0.1 * before * (1 - before)) * slope / room) ** 2 + memory["setback"] ** 2
        counts = (share > 0.01) & (self._ceiling - before > ROOM_LEFT)
        for name, new in (
            ("precision", share**2 / variance),
            ("weighted", share * won / variance),
            ("fed", share * counts),
            ("won", won * counts),
        ):
            memory[name] = FORGOTTEN * memory[name] + new


@allocator("learnable")
def learnable(problem: Problem, seed: int) -> Allocator:
    """Room to move times requirement, less for what does not move although it is fed."""
    return Learnable(problem)
