"""Small real trials: the lab's teacher and student, the reasoning suite, a few thousand tokens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from readbench.runs.config import resolve
from readbench.runs.executors.base import WorkerConfig
from readbench.runs.executors.worker import Worker
from readbench.runs.plan import plan
from readbench.suites.suite import load_suite
from readbench.trials.briefing import Briefing
from readbench.trials.events import Event
from readbench.trials.spec import TrialSpec

BUDGET = 9_000
INTERVALS = 3


@pytest.fixture(scope="session")
def base_spec() -> TrialSpec:
    """A short trial of the uniform allocator."""
    flags = {"allocators": "uniform", "seeds": "1", "budget_tokens": BUDGET, "num_intervals": INTERVALS, "num_probes": 9, "num_dev": 9}
    (spec,) = plan(resolve("multilingual", environment={}, flags=flags)).trials
    return spec


class Bench:
    """Runs trials in this process, in a run directory of its own."""

    def __init__(self, run_dir: Path, base: TrialSpec) -> None:
        run_dir.mkdir(exist_ok=True)
        self.run_dir = run_dir
        self.base = base
        self._worker = Worker(WorkerConfig(run_dir=run_dir, device="cpu", shared=base))

    def run(self, allocator: str = "uniform", *, seed: int = 0, stop_after: int | None = None, profile: list[float] | None = None) -> Path:
        """The trial's folder; `stop_after` intervals of this call it is asked to stop."""
        spec = replace(self.base, allocator=allocator, seed=seed)
        intervals: list[Event] = []

        def observe(event: Event) -> None:
            if event.kind == "interval":
                intervals.append(event)

        briefing = Briefing(requirement=load_suite(spec.suite).requirement, teacher_profile=None if profile is None else np.array(profile))
        self._worker.run(spec, briefing, observe, lambda: stop_after is not None and len(intervals) >= stop_after)
        return self.run_dir / "trials" / spec.id


@pytest.fixture
def bench(tmp_path: Path, base_spec: TrialSpec) -> Callable[[str], Bench]:
    """Makes benches by name; two of them share nothing."""
    torch.set_num_threads(1)
    return lambda name="run": Bench(tmp_path / name, base_spec)
