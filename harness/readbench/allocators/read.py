"""ReAD's allocator: an uncertainty-aware contextual bandit over sparse mixes (arXiv 2605.11290; docs/method.md).

Before interval t it sees the context x_t = [r; s_t; budget left; last allocation; last Δs] and picks the candidate mix w with
the largest upper confidence bound μ(x_t, w) + κ·σ(x_t, w) of the interval's reward, μ and σ over a bootstrap ensemble of small
networks (`_core.EnsembleBandit`). All inputs are in [0, 1]: a raw token count next to shares would drown the action.

κ starts at `kappa` and shrinks by `kappa_decay` at every checkpoint (each `checkpoint` intervals) where the requirement-weighted
profile r·s has gained less than STAGNATION since the last one. `greedy` is the same with κ = 0.

The paper also calibrates the cumulative reward to the dev utility by an affine map. That needs no code here: the ensemble
standardises its targets, so any map R → a·R + b with a > 0 scales μ and σ alike, shifts all candidates alike, and leaves the
argmax where it is.
"""

import base64
import itertools
import json

import numpy as np

from readbench._core import CounterRng, EnsembleBandit
from readbench.api import Feedback, Observation, Problem, Vector, allocator
from readbench.base.errors import ConfigError

STAGNATION = 0.005  # gain of r·s between checkpoints, about the standard error of a probe difference
QUARTERS = 4  # the grid of the sparse mixes: shares in quarters
MOST_MIXED = 3  # singles, pairs and triples
PERTURBATION = 0.1  # share that moves from one capability to another
REPLAY = (0.1, 0.2)  # shares that move to the uniform mix
STATE_VERSION = 1


def top_required(requirement: Vector, top_k: int) -> list[int]:
    """The up to `top_k` capabilities with the largest requirement > 0 (ties: lower index)."""
    order = np.argsort(-requirement, kind="stable")
    return [int(c) for c in order[:top_k] if requirement[c] > 0.0]


def fixed_candidates(requirement: Vector, top_k: int) -> Vector:
    """(N, K) the part of A(τ) that does not change: r, uniform, and all mixes in quarters of up to three of the top capabilities."""
    num_capabilities = len(requirement)
    rows = [requirement, np.full(num_capabilities, 1.0 / num_capabilities)]
    top = top_required(requirement, top_k)
    for size in range(1, min(MOST_MIXED, len(top)) + 1):
        for members in itertools.combinations(top, size):
            for parts in itertools.product(range(1, QUARTERS + 1), repeat=size):
                if sum(parts) == QUARTERS:
                    row = np.zeros(num_capabilities)
                    row[list(members)] = np.array(parts) / QUARTERS
                    rows.append(row)
    return distinct(np.array(rows))


def perturbations(previous: Vector, requirement: Vector, top_k: int) -> Vector:
    """(N, K) the previous allocation, its small moves between the top capabilities, and towards uniform."""
    rows = [previous]
    for source, target in itertools.permutations(top_required(requirement, top_k), 2):
        row = previous.copy()
        moved = min(PERTURBATION, previous[source])
        row[source] -= moved
        row[target] += moved
        rows.append(row)
    rows += [(1.0 - share) * previous + share / len(previous) for share in REPLAY]
    return np.array(rows)


def distinct(rows: Vector) -> Vector:
    """The rows renormalised, each once (to 1e-9), in the order of their first appearance."""
    normalised = rows / rows.sum(axis=1, keepdims=True)
    _, first = np.unique(np.round(normalised, 9), axis=0, return_index=True)
    return np.ascontiguousarray(normalised[np.sort(first)])


def warmup_plan(requirement: Vector, top_k: int, length: int, seed: int) -> Vector:
    """(length, K) of A(τ): r, which tries every required capability; a mix that leans to each top one; the rest as the seed shuffles it.

    Mixes rather than one-hots: an interval that feeds one capability alone lets the others be forgotten, and that costs
    more than the sharper signal is worth.
    """
    top = top_required(requirement, top_k)
    leaning = np.zeros((len(top), len(requirement)))
    for rank in range(len(top)):
        for offset, share in enumerate((0.5, 0.25, 0.25)):
            leaning[rank, top[(rank + offset) % len(top)]] += share
    candidates = fixed_candidates(requirement, top_k)
    shuffled = candidates[CounterRng(seed).permutation(len(candidates))]
    plan = distinct(np.concatenate([requirement[np.newaxis], leaning, shuffled]))
    chosen: Vector = plan[np.arange(length) % len(plan)]
    return chosen


class ReAD:
    """The allocator; `read` and `greedy` make it."""

    def __init__(
        self, problem: Problem, seed: int, *, kappa: float, kappa_decay: float, top_k: int, warmup: int, checkpoint: int, num_members: int
    ) -> None:
        check_range("kappa", kappa, 0.0, 100.0)
        check_range("kappa_decay", kappa_decay, 0.0, 1.0)
        check_range("top_k", top_k, 1, 8)
        check_range("checkpoint", checkpoint, 1, 1000)
        check_range("num_members", num_members, 2, 64)
        length = warmup or max(1, problem.num_intervals // 4)
        if not 0 < length < problem.num_intervals / 2:
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
        self._checkpoint_utility: float | None = None  # r·s at the last checkpoint
        self._context: Vector | None = None  # x_t of the interval that is under way

    def propose(self, observation: Observation) -> Vector:
        """The next warm-up mix, or the candidate with the largest upper confidence bound."""
        self._context = self._context_of(observation)
        if observation.interval < len(self._warmup):
            planned: Vector = self._warmup[observation.interval]
            return planned.copy()
        last = next((feedback.allocation for feedback in reversed(observation.recent) if feedback.tokens > 0), self._requirement)
        candidates = distinct(np.concatenate([self._candidates, perturbations(last, self._requirement, self._top_k)]))
        contexts = np.broadcast_to(self._context, (len(candidates), len(self._context)))
        best = self._bandit.select(np.concatenate([contexts, candidates], axis=1), self._kappa)
        chosen: Vector = candidates[best]
        return chosen.copy()

    def update(self, feedback: Feedback) -> None:
        """Logs (x, realised w, reward), unless the interval bought nothing; shrinks κ at a checkpoint without progress."""
        if self._context is None:
            raise ValueError("update comes after propose")
        if feedback.tokens > 0:
            self._bandit.add(np.concatenate([self._context, feedback.allocation]), feedback.reward)
        self._context = None
        if self._checkpoint_utility is None:
            self._checkpoint_utility = float(self._requirement @ feedback.profile_before)
        if (feedback.interval + 1) % self._checkpoint == 0:
            utility = float(self._requirement @ feedback.profile_after)
            if utility - self._checkpoint_utility < STAGNATION:
                self._kappa *= self._kappa_decay
            self._checkpoint_utility = utility

    def state(self) -> bytes:
        """JSON; the bandit's bytes (exact, with a checksum) in base64."""
        state = {
            "version": STATE_VERSION,
            "warmup": self._warmup.tolist(),  # the seed shuffled it
            "bandit": base64.b64encode(self._bandit.to_bytes()).decode("ascii"),
            "kappa": self._kappa,
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
            warmup = np.array(fields["warmup"], dtype=np.float64)
            kappa = float(fields["kappa"])
            utility = None if fields["checkpoint_utility"] is None else float(fields["checkpoint_utility"])
            context = None if fields["context"] is None else np.array(fields["context"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a state of this allocator: {error}") from error
        size = 4 * len(self._requirement) + 1
        if bandit.num_inputs != size + len(self._requirement) or (context is not None and context.shape != (size,)):
            raise ValueError("not a state of this allocator: it belongs to another number of capabilities")
        if warmup.shape != self._warmup.shape:
            raise ValueError("not a state of this allocator: it belongs to another warm-up")
        self._warmup, self._bandit, self._kappa, self._checkpoint_utility, self._context = warmup, bandit, kappa, utility, context

    def _context_of(self, observation: Observation) -> Vector:
        """(4K + 1,) all in [0, 1]; before the first interval there was no allocation and no change."""
        allocation, change = np.zeros_like(self._requirement), np.zeros_like(self._requirement)
        if observation.recent:
            last = observation.recent[-1]
            allocation, change = last.allocation, last.profile_after - last.profile_before
        return np.concatenate([self._requirement, observation.profile, [observation.budget_left], allocation, (1.0 + change) / 2.0])


def check_range(name: str, value: float, least: float, most: float) -> None:
    """ConfigError unless least <= value <= most (so also for NaN)."""
    if not least <= value <= most:
        raise ConfigError(f"{name} must be between {least} and {most}, got {value}")


@allocator("read")
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
    """ReAD: uncertainty-aware contextual bandit (a bootstrap ensemble of networks with an upper confidence bound).

    `warmup` intervals follow a fixed plan; 0 means a quarter of all. Fewer than half of them are allowed.
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


@allocator("greedy")
def greedy(problem: Problem, seed: int, *, top_k: int = 3, warmup: int = 0, num_members: int = 5) -> ReAD:
    """ReAD without exploration: the same bandit with κ = 0."""
    return ReAD(problem, seed, kappa=0.0, kappa_decay=1.0, top_k=top_k, warmup=warmup, checkpoint=1, num_members=num_members)
