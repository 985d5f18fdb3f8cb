"""ReAD's allocator: an uncertainty-aware contextual bandit over sparse mixes (arXiv 2605.11290; docs/method.md).

Before interval t it sees the context x_t = [r; s_t; budget left; last allocation; last Δs] and picks the candidate mix w with
the largest upper confidence bound μ(x_t, w) + κ·σ(x_t, w) of the interval's reward, μ and σ over a bootstrap ensemble of small
networks (`_core.EnsembleBandit`). All inputs are in [0, 1]: a raw token count next to shares would drown the action.

The ensemble is not cold at the first decision: in pilot trials random mixes were played from the first interval to the last, and their
transitions are logged before (the paper's profiling split). `read-cold` is without them: it begins with a warm-up over A(τ).

κ starts at `kappa` and shrinks by `kappa_decay` at every checkpoint where the dev utility has gained less than STAGNATION since the last
one. Where the suite hides it, and in `read-cold`, the checkpoints are each `checkpoint` intervals, and the gain is that of the
requirement-weighted profile r·s. `greedy` is the same with κ = 0.

The paper also calibrates the cumulative reward to the dev utility by an affine map. That needs no code here: the ensemble
standardises its targets, so any map R → a·R + b with a > 0 scales μ and σ alike, shifts all candidates alike, and leaves the
argmax where it is.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from readbench._core import EnsembleBandit
from readbench.allocators.mixes import distinct, fixed_candidates, perturbations, warmup_plan
from readbench.api import Explanation, Feedback, Observation, Problem, Vector, allocator
from readbench.base.errors import ConfigError

STAGNATION = 0.005  # gain of the utility between checkpoints, about the standard error of a difference of r·s
STATE_VERSION = 2


class ReAD:
    """The allocator; `read`, `read-cold` and `greedy` make it."""

    def __init__(
        self,
        problem: Problem,
        seed: int,
        *,
        kappa: float,
        kappa_decay: float,
        top_k: int,
        warmup: int,
        checkpoint: int,
        num_members: int,
        by_dev: bool = True,
    ) -> None:
        check_range("kappa", kappa, 0.0, 100.0)
        check_range("kappa_decay", kappa_decay, 0.0, 1.0)
        check_range("top_k", top_k, 1, 8)
        check_range("checkpoint", checkpoint, 1, 1000)
        check_range("num_members", num_members, 2, 64)
        length = warmup or (0 if problem.profiling else max(1, problem.num_intervals // 4))
        if not (0 if problem.profiling else 1) <= length < problem.num_intervals / 2:
            raise ConfigError(
                f"warmup must be at least 1 and less than half of the {problem.num_intervals} intervals, got {length}",
                hint="use more intervals, or a shorter warmup",
            )
        self._requirement = np.array(problem.requirement, dtype=np.float64)
        self._top_k = top_k
        self._kappa_decay = kappa_decay
        self._checkpoint = checkpoint
        self._candidates = fixed_candidates(self._requirement, top_k)
        self._warmup = warmup_plan(self._requirement, top_k, length, seed)
        # What follows changes from interval to interval: the state.
        self._bandit = EnsembleBandit(5 * len(self._requirement) + 1, seed=seed, num_members=num_members)
        self._kappa = float(kappa)
        self._checkpoint_utility: float | None = None  # at the last checkpoint
        self._context: Vector | None = None  # x_t of the interval that is under way
        self._compared: tuple[Vector, int] | None = None  # what its proposal was chosen from: no part of the state
        self._checked = -1  # the last interval whose observation was looked at
        self._by_dev = by_dev  # until the first observation says whether there is a dev utility
        for context, feedback in transitions(problem):
            self._bandit.add(np.concatenate([context, feedback.allocation]), feedback.reward)

    def propose(self, observation: Observation) -> Vector:
        """The next warm-up mix, or the candidate with the largest upper confidence bound; κ shrinks before, if a checkpoint says so."""
        self._check(observation)
        self._context = context_of(self._requirement, observation)
        if observation.interval < len(self._warmup):
            planned: Vector = self._warmup[observation.interval]
            return planned.copy()
        last = next((feedback.allocation for feedback in reversed(observation.recent) if feedback.tokens > 0), self._requirement)
        candidates = distinct(np.concatenate([self._candidates, perturbations(last, self._requirement, self._top_k)]))
        contexts = np.broadcast_to(self._context, (len(candidates), len(self._context)))
        rows = np.concatenate([contexts, candidates], axis=1)
        best = self._bandit.select(rows, self._kappa)
        self._compared = rows, best
        chosen: Vector = candidates[best]
        return chosen.copy()

    def explain(self) -> Explanation | None:
        """The candidates with their μ and σ; None in the warm-up."""
        if self._compared is None:
            return None
        rows, chosen = self._compared
        mean, sd = self._bandit.predict(rows)
        return Explanation(candidates=rows[:, -len(self._requirement) :].copy(), predicted=mean, sd=sd, chosen=chosen)

    def update(self, feedback: Feedback) -> None:
        """Logs (x, realised w, reward), unless the interval bought nothing."""
        if self._context is None:
            raise ValueError("update comes after propose")
        if feedback.tokens > 0:
            self._bandit.add(np.concatenate([self._context, feedback.allocation]), feedback.reward)
        self._context = self._compared = None

    def _check(self, observation: Observation) -> None:
        """Compares the utility at a checkpoint with that of the last one."""
        if observation.interval <= self._checked:
            return
        self._checked = observation.interval
        first = self._checkpoint_utility is None
        if first:
            self._by_dev = self._by_dev and observation.dev_utility is not None
        utility = observation.dev_utility if self._by_dev else float(self._requirement @ observation.profile)
        if utility is None or not (first or self._by_dev or observation.interval % self._checkpoint == 0):
            return
        if self._checkpoint_utility is not None and utility - self._checkpoint_utility < STAGNATION:
            self._kappa *= self._kappa_decay
        self._checkpoint_utility = utility

    def state(self) -> bytes:
        """JSON; the bandit's bytes (exact, with a checksum) in base64."""
        state = {
            "version": STATE_VERSION,
            "warmup": self._warmup.tolist(),  # the seed shuffled it
            "bandit": base64.b64encode(self._bandit.to_bytes()).decode("ascii"),
            "kappa": self._kappa,
            "by_dev": self._by_dev,
            "checked": self._checked,
            "checkpoint_utility": self._checkpoint_utility,
            "context": None if self._context is None else self._context.tolist(),
        }
        return json.dumps(state, allow_nan=False).encode()

    def restore(self, state: bytes) -> None:
        """Takes back what `state` returned; ValueError, and nothing changed, if the bytes are not such a state."""
        try:
            fields = json.loads(state)
            if fields["version"] != STATE_VERSION:
                raise ValueError(f"version {fields['version']}")
            bandit = EnsembleBandit.from_bytes(base64.b64decode(fields["bandit"], validate=True))
            warmup = np.array(fields["warmup"], dtype=np.float64).reshape(-1, len(self._requirement))
            kappa, by_dev = float(fields["kappa"]), bool(fields["by_dev"])
            checked = int(fields["checked"])
            utility = None if fields["checkpoint_utility"] is None else float(fields["checkpoint_utility"])
            context = None if fields["context"] is None else np.array(fields["context"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a state of this allocator: {error}") from error
        size = 4 * len(self._requirement) + 1
        if bandit.num_inputs != size + len(self._requirement) or (context is not None and context.shape != (size,)):
            raise ValueError("not a state of this allocator: it belongs to another number of capabilities")
        if warmup.shape != self._warmup.shape:
            raise ValueError("not a state of this allocator: it belongs to another warm-up")
        self._warmup, self._bandit, self._kappa, self._by_dev = warmup, bandit, kappa, by_dev
        self._checkpoint_utility, self._context, self._checked = utility, context, checked


def context_of(requirement: Vector, observation: Observation) -> Vector:
    """x_t, (4K + 1,), all in [0, 1]; before the first interval there was no allocation and no change."""
    allocation, change = np.zeros_like(requirement), np.zeros_like(requirement)
    if observation.recent:
        last = observation.recent[-1]
        allocation, change = last.allocation, last.profile_after - last.profile_before
    return np.concatenate([requirement, observation.profile, [observation.budget_left], allocation, (1.0 + change) / 2.0])


def transitions(problem: Problem) -> Iterator[tuple[Vector, Feedback]]:
    """The context and the outcome of every interval of the pilot trials that bought something, as the trials themselves saw them."""
    for trial in problem.profiling:
        spent, recent = 0, tuple[Feedback, ...]()
        for feedback in trial:
            left = max(0.0, 1.0 - spent / problem.budget_tokens)
            seen = Observation(interval=feedback.interval, profile=feedback.profile_before, budget_left=left, recent=recent)
            if feedback.tokens > 0:
                yield context_of(problem.requirement, seen), feedback
            spent, recent = spent + feedback.tokens, (feedback,)


def check_range(name: str, value: float, least: float, most: float) -> None:
    """ConfigError unless least <= value <= most (so also for NaN)."""
    if not least <= value <= most:
        raise ConfigError(f"{name} must be between {least} and {most}, got {value}")


@allocator("read", profiled=True)
def read(
    problem: Problem,
    seed: int,
    *,
    kappa: float = 1.0,
    kappa_decay: float = 0.7,
    top_k: int = 3,
    warmup: int = 0,
    checkpoint: int = 3,
    num_members: int = 5,
) -> ReAD:
    """ReAD: uncertainty-aware contextual bandit (a bootstrap ensemble with an upper confidence bound), warm-started by pilot trials.

    `warmup` intervals follow a fixed plan; 0 means none, or a quarter of all without pilot trials. Fewer than half of them are allowed.
    """
    return ReAD(
        problem,
        seed,
        kappa=kappa,
        kappa_decay=kappa_decay,
        top_k=top_k,
        warmup=warmup,
        checkpoint=checkpoint,
        num_members=num_members,
    )


@allocator("read-cold")
def read_cold(
    problem: Problem,
    seed: int,
    *,
    kappa: float = 1.0,
    kappa_decay: float = 0.7,
    top_k: int = 3,
    warmup: int = 0,
    checkpoint: int = 3,
    num_members: int = 5,
) -> ReAD:
    """ReAD without pilot trials and dev utility: it learns all from its own intervals, after a warm-up.

    `warmup` intervals follow a fixed plan; 0 means a quarter of all. Fewer than half of them are allowed.
    """
    return ReAD(
        replace(problem, profiling=()),
        seed,
        kappa=kappa,
        kappa_decay=kappa_decay,
        top_k=top_k,
        warmup=warmup,
        checkpoint=checkpoint,
        num_members=num_members,
        by_dev=False,
    )


@allocator("greedy", profiled=True)
def greedy(problem: Problem, seed: int, *, top_k: int = 3, warmup: int = 0, num_members: int = 5) -> ReAD:
    """ReAD without exploration: the same bandit with κ = 0, and the same pilot trials."""
    return ReAD(problem, seed, kappa=0.0, kappa_decay=1.0, top_k=top_k, warmup=warmup, checkpoint=1, num_members=num_members)
