"""The candidates of ReAD's bandit, A(τ): sparse mixes of what the task needs most, and small moves of the last allocation."""

import itertools

import numpy as np

from readbench._core import CounterRng
from readbench.api import Vector

QUARTERS = 4  # the grid of the sparse mixes: shares in quarters
MOST_MIXED = 3  # singles, pairs and triples
PERTURBATION = 0.1  # share that moves from one capability to another
REPLAY = (0.1, 0.2)  # shares that move to the uniform mix


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
