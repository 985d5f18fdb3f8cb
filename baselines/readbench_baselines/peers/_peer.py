"""What the field's rules share: a prior over the capabilities, how it is applied, and clear words where a figure is missing."""

from collections.abc import Mapping

import numpy as np

from readbench.api import Feedback, Problem, Vector
from readbench_baselines._memory import Memory


class Peer(Memory):
    """A rule from the literature: it learns from every interval that bought something, and starts from a prior.

    The prior is r ("requirement") or 1/K ("uniform"): most rules were made for training where every source is wanted, and know no r.
    """

    def __init__(self, problem: Problem, prior: str, memory: Mapping[str, Vector | float]) -> None:
        size = problem.requirement.size
        if prior not in (priors := {"requirement": problem.requirement.copy(), "uniform": np.full(size, 1.0 / size)}):
            raise ValueError(f"prior is {' or '.join(priors)}, not {prior!r}")
        self.prior: Vector = priors[prior]
        super().__init__(memory)

    def weighed(self, preference: Vector) -> Vector:
        """(K,) the prior times a preference (K,) ≥ 0, on the simplex; the prior alone where their product is 0 everywhere."""
        weights: Vector = self.prior * preference
        return weights / weights.sum() if weights.sum() > 0 else self.prior.copy()

    def update(self, feedback: Feedback) -> None:
        """Learns from an interval; one that bought nothing says nothing."""
        if feedback.tokens > 0:
            self.learn(feedback)

    def learn(self, feedback: Feedback) -> None:
        """Learns from an interval that bought something; without this, nothing."""


def softmax(logits: Vector) -> Vector:
    """(K,) on the simplex."""
    weights = np.exp(logits - logits.max())
    shares: Vector = weights / weights.sum()
    return shares


def measured(figures: Vector | None, name: str, rule: str, size: int) -> Vector:
    """The figures (K,); ValueError in one line if the environment or the teacher did not give them."""
    if figures is None or figures.shape != (size,):
        raise ValueError(f"{rule} needs {name} of each capability, and it was not measured here")
    return figures


def between(name: str, value: float, least: float, most: float) -> float:
    """The value; ValueError unless least <= value <= most (so also for NaN)."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {value}")
    return value


def success_rate(exact: Vector, num_probes: int) -> Vector:
    """(K,) the rate of right answers, with Laplace's rule: 0 of 40 is no proof that none will ever be right."""
    probes = num_probes or 40
    rate: Vector = (exact * probes + 1.0) / (probes + 2.0)
    return rate
