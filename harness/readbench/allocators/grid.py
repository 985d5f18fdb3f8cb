"""`grid`: one mix for the whole trial, the best of A(τ) as pilot trials show it.

The same candidates, pilot trials and ensemble as ReAD's, without its decisions: the mix with the largest μ, averaged over all contexts
that the pilot trials logged. What ReAD gains on it is what deciding anew at each interval is worth.
"""

import json

import numpy as np

from readbench._core import EnsembleBandit
from readbench.allocators.mixes import fixed_candidates
from readbench.allocators.read import check_range, transitions
from readbench.api import Feedback, Observation, Problem, Vector, allocator


class Grid:
    """The allocator; `grid` makes it. Without pilot trials the mix is r."""

    def __init__(self, problem: Problem, seed: int, *, top_k: int, num_members: int) -> None:
        check_range("top_k", top_k, 1, 8)
        check_range("num_members", num_members, 2, 64)
        candidates = fixed_candidates(problem.requirement, top_k)  # r is the first of them
        logged = list(transitions(problem))
        self._mix: Vector = candidates[0]
        if logged:
            bandit = EnsembleBandit(5 * len(problem.requirement) + 1, seed=seed, num_members=num_members)
            for context, feedback in logged:
                bandit.add(np.concatenate([context, feedback.allocation]), feedback.reward)
            bandit.fit()
            contexts = np.array([context for context, _ in logged])
            means = [bandit.predict(np.hstack([contexts, np.tile(mix, (len(contexts), 1))]))[0].mean() for mix in candidates]
            self._mix = candidates[int(np.argmax(means))]

    def propose(self, observation: Observation) -> Vector:  # noqa: ARG002 — the mix is fixed
        """The mix."""
        return self._mix.copy()

    def update(self, feedback: Feedback) -> None:
        """Learns nothing more."""

    def state(self) -> bytes:
        """The mix, as JSON."""
        return json.dumps(self._mix.tolist()).encode()

    def restore(self, state: bytes) -> None:
        """Takes the mix back; ValueError, and nothing changed, if the bytes are none."""
        try:
            mix = np.array(json.loads(state), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a state of this allocator: {error}") from error
        if mix.shape != self._mix.shape or not np.isfinite(mix).all():
            raise ValueError("not a state of this allocator: it belongs to another number of capabilities")
        self._mix = mix


@allocator("grid", profiled=True)
def grid(problem: Problem, seed: int, *, top_k: int = 3, num_members: int = 5) -> Grid:
    """The best fixed mix of ReAD's candidates, as pilot trials show it."""
    return Grid(problem, seed, top_k=top_k, num_members=num_members)
