"""A trial's metrics and an interval's reward: pure functions of arrays, defined in docs/metrics.md with worked examples.

Shapes: K capabilities in suite order, T intervals. A profile (K,) holds scores in [0, 1], the requirement (K,) lies on
the simplex, tokens are those charged to the budget. Source: ReAD, arXiv 2605.11290 (reward and
spillover); collateral, waste and auc are ours.
"""

import numpy as np
import numpy.typing as npt

from readbench.api import Vector

Matrix = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def most_needed(requirement: Vector, top_k: int) -> npt.NDArray[np.intp]:
    """Indices of the top_k largest r_c; ties go to those that come first in the suite. All of them if top_k ≥ K."""
    return np.argsort(-requirement, kind="stable")[:top_k]


def reward(before: Vector, after: Vector, requirement: Vector, *, beta: float, cost: float, top_k: int) -> float:
    """R = r·Δs − beta·Spill − cost, with Spill = Σ_{c ∈ top-k(r)} r_c·max(0, −Δs_c) of the interval.

    `cost` is λ times the interval's tokens as a share of the budget.
    """
    harm = spillover(np.stack([before, after]), requirement, top_k)
    return profile_gain(before, after, requirement) - beta * harm - cost


def profile_gain(before: Vector, after: Vector, requirement: Vector) -> float:
    """r·(s_T − s_0), in [−1, 1]; higher is better."""
    return float(requirement @ (after - before))


def spillover(profiles: Matrix, requirement: Vector, top_k: int = 3) -> float:
    """Σ_t Σ_{c ∈ top-k(r)} r_c·max(0, −Δs_{t,c}), in [0, T]; lower is better.

    Harm to what the task needs, while it happened: a loss that is regained later still counts. `profiles` is (T+1, K).
    """
    needed = most_needed(requirement, top_k)
    losses = np.maximum(-np.diff(profiles[:, needed], axis=0), 0.0)  # (T, top_k)
    return float(np.sum(losses @ requirement[needed]))


def collateral(before: Vector, after: Vector, requirement: Vector) -> float:
    """Mean over {c: r_c = 0} of max(0, s_{0,c} − s_{T,c}), in [0, 1]; lower is better.

    Lasting harm to what the task does not need; 0 if it needs everything.
    """
    unneeded = requirement == 0.0
    if not unneeded.any():
        return 0.0
    return float(np.mean(np.maximum(before[unneeded] - after[unneeded], 0.0)))


def waste(tokens: Tokens, gains: Vector, epsilon: Vector) -> float:
    """Tokens charged in intervals with r·Δs_t ≤ ε_t as a share of all charged tokens, in [0, 1]; lower is better.

    All arguments are (T,); ε_t is the standard error of r·Δs_t. 0 if nothing was charged.
    """
    charged = float(np.sum(tokens))
    return float(np.sum(tokens[gains <= epsilon])) / charged if charged else 0.0


def auc(tokens: Tokens, dev_utilities: Vector, budget_tokens: int) -> float:
    """Mean utility on the dev questions over the budget: its area over charged tokens, divided by B; in [0, 1], higher is better.

    Trapezoids between measurements; `tokens` (T,) are those charged by interval, `dev_utilities` (T+1,) hold NaN where none was
    made (never last). Tokens that a trial
    does not charge count at its last value: the student stays that good to the end of the budget. So the area never
    rewards or punishes a trial for the tokens that it leaves over, and has the bounds of `dev_utilities`.
    """
    measured = ~np.isnan(dev_utilities)
    spent = np.append(np.cumsum(np.insert(tokens, 0, 0))[measured], budget_tokens)
    curve = np.append(dev_utilities[measured], dev_utilities[-1])
    return float(np.sum(np.diff(spent) * (curve[1:] + curve[:-1]) / 2.0)) / budget_tokens
