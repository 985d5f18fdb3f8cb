"""Milliseconds that the planner takes for a decision, with each suite's own chains and in the first of 20 intervals.

python benchmarks/horizon.py
"""

import time

import numpy as np

from readbench.api import Observation, Problem
from readbench.base.plugins import make_allocator, registry
from readbench.suites.suite import load_suite

DECISIONS, WARM_UP = 300, 20


def main() -> None:
    print("| suite | chains | median, ms | fastest, ms |\n|---|---|---|---|")
    for name in registry().plugins("suite"):
        suite = load_suite(name)
        chains = suite.known_composition
        if chains is None or len(suite.capabilities) != 8:
            continue
        problem = Problem(
            capabilities=suite.capabilities,
            requirement=suite.requirement,
            teacher_profile=None,
            budget_tokens=120_000,
            num_intervals=20,
            composition=chains,
            learning_rate=np.linspace(1.0, 0.1, 20),
        )
        scores = np.full(8, 0.3)
        planner = make_allocator("horizon", problem, seed=0)
        seen = Observation(interval=0, profile=scores, exact=scores, budget_left=1.0)
        taken = []
        for _ in range(WARM_UP + DECISIONS):
            began = time.perf_counter()
            planner.propose(seen)
            taken.append(1000 * (time.perf_counter() - began))
        print(f"| {name} | {len(chains)} | {np.median(taken[WARM_UP:]):.2f} | {min(taken):.2f} |")


if __name__ == "__main__":
    main()
