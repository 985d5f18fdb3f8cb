"""What the harness itself costs: python benchmarks/run.py [--budget TOKENS]

Runs the reasoning suite on grids of growing size and prints, from the seconds that the trials record:
the share of trial time outside teacher, training, probes and evaluation (the allocator's share is given separately);
charged tokens per second of wall clock over all workers; and how wall clock grows with the number of trials.
"""

import argparse
import tempfile
import time
from pathlib import Path

from machine import matmul_gflops

from readbench.results.document.model import Results
from readbench.runs.config import resolve
from readbench.runs.executors.pool import num_cores
from readbench.views.cli.session import carry_out

GRIDS = (("read-cold", "1"), ("read-cold,uniform", "2"), ("read-cold,uniform,random,task-static", "4"))
WORK = ("teacher", "train", "rollout", "probe", "eval")


def measured(allocators: str, seeds: str, budget: int, folder: Path) -> tuple[Results, float]:
    """A run's results and its wall clock in seconds."""
    flags = {"allocators": allocators, "seeds": seeds, "budget_tokens": budget}
    began = time.perf_counter()
    results = carry_out(folder, resolve("reasoning", environment={}, flags=flags), observe=lambda _: None)
    return results, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=60_000, help="tokens a trial")
    budget = parser.parse_args().budget
    print(f"{num_cores()} cores, matmul limit of one: {matmul_gflops():.0f} GFLOP/s, {budget} tokens a trial")
    print(f"{'trials':>6} {'wall s':>7} {'s a trial':>9} {'tokens/s':>9} {'harness':>8} {'allocator':>9} {'largest harness share':>22}")
    with tempfile.TemporaryDirectory() as folder:
        for number, (allocators, seeds) in enumerate(GRIDS):
            results, wall = measured(allocators, seeds, budget, Path(folder) / str(number))
            seconds = [trial.seconds for trial in results.complete]
            shares = [1 - sum(getattr(each, phase) for phase in (*WORK, "allocator")) / each.total for each in seconds]
            total = sum(each.total for each in seconds)
            allocator = sum(each.allocator for each in seconds) / total
            charged = sum(trial.tokens.charged for trial in results.complete)
            harness = sum(share * each.total for share, each in zip(shares, seconds, strict=True)) / total
            each_second = f"{len(seconds):>6} {wall:>7.1f} {total / len(seconds):>9.2f} {charged / wall:>9.0f}"
            print(f"{each_second} {harness:>8.2%} {allocator:>9.2%} {max(shares):>22.2%}")


if __name__ == "__main__":
    main()
