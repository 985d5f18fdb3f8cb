"""The trainings that a transfer matrix is made of: each capability alone, with each budget and seed."""

from collections.abc import Sequence
from dataclasses import replace

from readbench.trials.spec import TrialSpec


def transfer_specs(
    shared: TrialSpec, capabilities: Sequence[str], *, budgets: Sequence[int], seeds: Sequence[int]
) -> tuple[TrialSpec, ...]:
    """One training per budget, capability and seed, in this order; `shared` is any trial of the config."""
    base = replace(shared, allocator="fixed", requirement="card", pilots=None, dev_every=shared.num_intervals, tested=False)
    return tuple(
        replace(base, budget_tokens=budget, params={"mix": f"{capability}:1"}, seed=seed)
        for budget in budgets
        for capability in capabilities
        for seed in seeds
    )
