"""P7: no wall-clock in ids, seeds, order or digests: a clock that jumps changes nothing but the timings."""

import ast
from pathlib import Path

import readbench

from .conftest import Stand, outcome
from .test_writes import files

JUMPING = """
import datetime, itertools, random, time
jumps = random.Random(5)
for name in ("time", "monotonic", "perf_counter", "process_time"):
    setattr(time, name, lambda: jumps.uniform(-1e9, 4e9))
    setattr(time, name + "_ns", lambda: jumps.randrange(4 * 10**18))
"""
# Modules that look at a clock, and for what.
CLOCKS = {
    "suites/verifiers/code/sandbox.py": "the end of a program that does not end",
    "views/cli/display/live.py": "the display",
    "views/cli/display/plain.py": "the display",
    "views/cli/display/progress.py": "the display",
    "runs/planning/estimate.py": "the estimate of a run's seconds",
    "runs/executors/pool.py": "how long a stopped worker is waited for",
    "runs/executors/cluster/executor.py": "likewise",
    "teachers/endpoint/servers/client.py": "when to ask again",
    "teachers/endpoint/retry.py": "when to ask again",
    "runs/plan.py": "the name of a run directory",
    "trials/environments/stopwatch.py": "the timings",
    "teachers/cached.py": "the timings",
    "teachers/endpoint/servers/fleet.py": "how long a server that failed rests",
    "testing/surroundings.py": "an allocator that looks at the clock",
    "views/trackers/recorders/mlflow.py": "a tracker",
    "views/trackers/recorders/tensorboard.py": "a tracker",
    "views/trackers/tracking.py": "how long a tracker is waited for",
}


def test_a_trial_under_a_clock_that_jumps_is_the_same_trial(stand: Stand, tmp_path: Path) -> None:
    whole = stand.trial(tmp_path / "steady")
    jumping = stand.trial(tmp_path / "jumping", patches=[JUMPING])
    assert jumping.status == 0, jumping.error
    assert outcome(jumping.folder) == outcome(whole.folder)
    assert jumping.folder.name == whole.folder.name


def test_only_timings_and_names_look_at_a_clock() -> None:
    clocks = {"time", "datetime"}
    root = Path(readbench.__file__).parent
    using = set()
    for name, source in files():
        if (root / name).is_file():
            for node in ast.walk(ast.parse(source)):
                imported = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
                if isinstance(node, ast.ImportFrom) and node.module is not None:
                    imported.add(node.module)
                if imported & clocks:
                    using.add(name)
    assert using - CLOCKS.keys() == set()
