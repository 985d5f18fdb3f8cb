"""What durability costs: python benchmarks/durability.py [--seeds N]

Runs trials of the default run and prints, as shares of their time, how long the training waits for what only durability needs: the
snapshot of the state, a commit that is not on disk when the next one is due, the records of start and end, and the teacher's
responses, stored before they are used. (Commits run in parallel with the training.) Then starts the default run, kills it
with SIGKILL, and prints how long a resume takes until an interval is committed again: an upper bound of when it trains again.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from machine import matmul_gflops

from readbench.runs.config import resolve
from readbench.runs.executors.base import WorkerConfig
from readbench.runs.executors.pool import num_cores
from readbench.runs.executors.worker import Worker
from readbench.runs.plan import plan
from readbench.teachers.responses import ResponseCache
from readbench.trials.environments.distillation import Distillation
from readbench.trials.events import Event
from readbench.trials.record.commits import Commits
from readbench.trials.record.store import TrialStore
from readbench.trials.record.trial_file import find_trial

WAITED = ((Commits, "_wait"), (Distillation, "state"), (TrialStore, "begin"), (TrialStore, "finish"), (ResponseCache, "put"))
BESIDE = ((TrialStore, "commit_interval"),)


def ignore(event: Event) -> None:
    """Drops the event."""


def timed(owner: type[Any], name: str, seconds: "Counter[str]") -> None:
    """Makes a method add its time to `seconds`."""
    method: Callable[..., Any] = getattr(owner, name)

    @wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            seconds[f"{owner.__name__}.{name}"] += time.perf_counter() - began

    setattr(owner, name, call)


def overhead(seeds: int, folder: Path) -> None:
    """Prints each part's share of the trials' time, and the sum of the parts that training waits for."""
    spent: Counter[str] = Counter()
    for owner, name in (*WAITED, *BESIDE):
        timed(owner, name, spent)
    specs = plan(resolve("reasoning", environment={}, flags={"seeds": str(seeds)})).trials
    worker = Worker(WorkerConfig(run_dir=folder, device="cpu", shared=specs[0]))
    worker.run(replace(specs[0], seed=10**6, num_intervals=1, budget_tokens=4000), None, ignore, lambda: False)  # warm
    spent.clear()
    began = time.perf_counter()
    for spec in specs:
        worker.run(spec, None, ignore, lambda: False)
    total = time.perf_counter() - began
    for name in (f"{owner.__name__}.{method}" for owner, method in WAITED):
        print(f"{name:>32} {spent[name] / total:>8.2%}")
    print(f"{'training waits':>32} {sum(spent[f'{owner.__name__}.{method}'] for owner, method in WAITED) / total:>8.2%}")
    print(f"{'commits, during the training':>32} {sum(spent[f'{owner.__name__}.{method}'] for owner, method in BESIDE) / total:>8.2%}")


def committed(run_dir: Path) -> int:
    """The number of committed intervals in all trials."""
    records = [find_trial(folder) for folder in run_dir.glob("trials/*") if (folder / "trial.sqlite").is_file()]
    return sum(len(record.intervals) for record in records if record is not None)


def seconds_until(more: int, run_dir: Path, *command: str) -> tuple[float, "subprocess.Popen[bytes]"]:
    """Seconds from the start of a command until its run has `more` committed intervals, and the process."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "readbench", *command], stderr=subprocess.DEVNULL, start_new_session=True)
    while committed(run_dir) < more:
        if process.poll() is not None:
            raise SystemExit(f"readbench {command[0]} has ended with {process.returncode}")
        time.sleep(0.02)
    return time.perf_counter() - began, process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="trials of each of the default allocators")
    seeds = parser.parse_args().seeds
    print(f"{num_cores()} cores, load {os.getloadavg()[0]:.1f}, matmul limit of one: {matmul_gflops():.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as folder:
        overhead(seeds, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        _, process = seconds_until(5, run_dir, "run", "--suite", "reasoning", "--out", str(run_dir))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = committed(run_dir)
        seconds, process = seconds_until(before + 1, run_dir, "resume", str(run_dir))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed after {before} intervals; an interval more was on disk {seconds:.1f} s after `readbench resume`")


if __name__ == "__main__":
    main()
