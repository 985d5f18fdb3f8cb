"""One deliberately broken allocator for each way to break a rule of the conformance kit, and a sound one."""

# ruff: noqa: ARG002  (a broken allocator often breaks a rule by ignoring an argument)

import random
import time
from typing import ClassVar

import numpy as np
import torch

from readbench.api import Explanation, Feedback, Observation, Problem, Vector


def normalised(weights: Vector) -> Vector:
    shares: Vector = weights / weights.sum()
    return shares


class Sound:
    """Learns a preference per capability from the gains; each class below breaks one thing in it."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        self.seed = seed
        self.gains = np.zeros(len(problem.capabilities))

    def propose(self, observation: Observation) -> Vector:
        noise = np.random.default_rng((self.seed, observation.interval)).uniform(0.9, 1.1, self.gains.size)
        return self.simplex(np.exp(np.clip(self.gains, -5, 5)) * noise)

    def simplex(self, weights: Vector) -> Vector:
        return normalised(weights)

    def update(self, feedback: Feedback) -> None:
        self.gains = 0.9 * self.gains + feedback.profile_after - feedback.profile_before

    def state(self) -> bytes:
        return self.seed.to_bytes(8, "little") + self.gains.tobytes()

    def restore(self, state: bytes) -> None:
        if len(state) != 8 + self.gains.nbytes:
            raise ValueError("not a state of this allocator")
        self.seed = int.from_bytes(state[:8], "little")
        self.gains = np.frombuffer(state[8:]).copy()


class NoRestore:
    def __init__(self, problem: Problem, seed: int) -> None:
        pass

    def propose(self, observation: Observation) -> Vector:
        return np.full(observation.profile.size, 1 / observation.profile.size)

    def update(self, feedback: Feedback) -> None: ...

    def state(self) -> bytes:
        return b""


class NoSingleCapability(Sound):
    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, seed)
        self.spread = 1 / np.log2(len(problem.capabilities)) if len(problem.capabilities) > 1 else 1 // 0


class NotNormalised(Sound):
    def simplex(self, weights: Vector) -> Vector:
        return normalised(weights) * (1 + 1e-6)


class Negative(Sound):
    def simplex(self, weights: Vector) -> Vector:
        shares = normalised(weights)
        shares[0], shares[-1] = -0.1, shares[-1] + shares[0] + 0.1
        return shares


class SinglePrecision(Sound):
    def simplex(self, weights: Vector) -> Vector:
        return normalised(weights).astype(np.float32)


class AList(Sound):
    def simplex(self, weights: Vector) -> Vector:
        return normalised(weights).tolist()  # type: ignore[no-any-return]


class DividesByTheRoom(Sound):
    def propose(self, observation: Observation) -> Vector:
        with np.errstate(all="ignore"):
            return normalised(1 - observation.profile)


class NeedsATeacher(Sound):
    def propose(self, observation: Observation) -> Vector:
        assert self.problem.teacher_profile is not None
        return super().propose(observation)


class TrustsTheLoss(Sound):
    def update(self, feedback: Feedback) -> None:
        self.gains = self.gains + 0.1 * feedback.train_loss


class DividesByTheRewardsSpread(Sound):
    def update(self, feedback: Feedback) -> None:
        self.gains = self.gains + 1 / abs(feedback.reward)


class ChangesTheProfile(Sound):
    def propose(self, observation: Observation) -> Vector:
        observation.profile[0] = 0.25
        return super().propose(observation)


class NeedsWritableArrays(Sound):
    def propose(self, observation: Observation) -> Vector:
        np.add(observation.profile, 0.0, out=observation.profile)
        return super().propose(observation)


class ChangesTheFeedback(Sound):
    def update(self, feedback: Feedback) -> None:
        super().update(feedback)
        feedback.allocation[:] = 0.125


class ChangesTheRequirement(Sound):
    def propose(self, observation: Observation) -> Vector:
        self.problem.requirement[0] += 0.5
        return super().propose(observation)


class ReusesItsArray(Sound):
    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, seed)
        self.buffer = np.empty(len(problem.capabilities))

    def simplex(self, weights: Vector) -> Vector:
        self.buffer[:] = normalised(weights)
        return self.buffer


class Unseeded(Sound):
    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, random.SystemRandom().getrandbits(63))


class SeededByAddress(Sound):
    def propose(self, observation: Observation) -> Vector:
        self.seed = id(observation.profile)
        return super().propose(observation)


class SeededByTheDay(Sound):
    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, int(time.time()) // (30 * 86_400))


class SharesItsMemory(Sound):
    memory: ClassVar[dict[int, Vector]] = {}

    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, seed)
        self.memory[len(problem.capabilities)] = self.gains

    def update(self, feedback: Feedback) -> None:
        super().update(feedback)
        self.memory[self.gains.size] = self.gains

    def propose(self, observation: Observation) -> Vector:
        self.gains = self.memory[self.gains.size]
        return super().propose(observation)


class LovesMath(Sound):
    def simplex(self, weights: Vector) -> Vector:
        return super().simplex(weights + np.array([name == "math" for name in self.problem.capabilities]))


class SortsByName(Sound):
    def simplex(self, weights: Vector) -> Vector:
        first = self.problem.capabilities.index(min(self.problem.capabilities))
        return super().simplex(weights + np.eye(weights.size)[first])


class DrawsFromRandom(Sound):
    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(problem, 0)
        random.random()


class SeedsNumpy(Sound):
    def propose(self, observation: Observation) -> Vector:
        np.random.seed(self.seed)  # noqa: NPY002
        return super().simplex(np.random.dirichlet(np.ones(self.gains.size)))  # noqa: NPY002


class DrawsFromTorch(Sound):
    def propose(self, observation: Observation) -> Vector:
        torch.rand(1)
        return super().propose(observation)


class PrefersTheFirst(Sound):
    def propose(self, observation: Observation) -> Vector:
        return self.simplex(1.0 + np.eye(self.gains.size)[0])


class ExplainsWithoutNumbers(Sound):
    def explain(self) -> Explanation:
        return Explanation(candidates=np.eye(2), predicted=np.array([0.5, np.nan]), sd=np.zeros(2), chosen=0)


class ExplainsAnother(Sound):
    def explain(self) -> Explanation:
        return Explanation(candidates=np.eye(2), predicted=np.zeros(2), sd=np.zeros(2), chosen=2)


class LearnsFromExplaining(Sound):
    def explain(self) -> None:
        self.gains = self.gains + 0.01
