"""What a trial costs more on a Ray cluster than in a pool: the same grids with both, on a cluster of this machine.

    python benchmarks/cluster.py

A grid of few trials and one of many: their difference, a trial, has neither start-up nor the models' loading in it. Needs the extra ray.
"""

import argparse
import tempfile
import time
from pathlib import Path

from readbench.runs.config import resolve
from readbench.views.cli.session import carry_out

CORES = 2


def seconds(executor: str, trials: int, out: Path) -> float:
    """Of a run."""
    flags = {
        "allocators": "uniform",
        "seeds": str(trials),
        "budget_tokens": 8000,
        "num_intervals": 4,
        "executor": executor,
        "workers": CORES,
    }
    began = time.perf_counter()
    carry_out(out, resolve("multilingual", environment={}, flags={**flags, "executor": executor, "workers": CORES}), observe=lambda _: None)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=CORES)
    parser.add_argument("--many", type=int, default=8 * CORES)
    given = parser.parse_args()
    a_trial = {}
    with tempfile.TemporaryDirectory() as folder:
        for executor in ("pool", "ray"):
            few, many = (seconds(executor, count, Path(folder) / f"{executor}-{count}") for count in (given.few, given.many))
            a_trial[executor] = (many - few) / (given.many - given.few) * CORES
            wall = f"{given.few} trials {few:.1f} s, {given.many} trials {many:.1f} s"
            print(f"{executor}: {wall}: {a_trial[executor]:.2f} s a trial and core")
    more, ratio = a_trial["ray"] - a_trial["pool"], a_trial["ray"] / a_trial["pool"]
    print(f"a trial takes {more:+.2f} s more on the cluster, {ratio:.2f} times the pool's")


if __name__ == "__main__":
    main()
