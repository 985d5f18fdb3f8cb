"""Real trials in real processes, killed, torn or failed at any of their file-changing calls."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readbench.trials.record.trial_file import read_trial

HERE = Path(__file__).parent
# A trial whose student learns from its own answers: several rounds in each interval. The teacher scores them, since so small a student
# never earns a reward, and would learn nothing else.
OWN_ANSWERS = {"objective": "kdrl", "objective_params": {"group_size": 2, "round_tokens": 32}}


@dataclass(frozen=True)
class Ended:
    """How a trial's process ended."""

    status: int  # exit code, or minus the signal
    told: int  # intervals that it was told are committed
    calls: int  # that change files below the run directory; 0 where it was killed
    folder: Path
    error: str


class Stand:
    """Starts trials in the process that `stand.py` is."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def trial(self, run_dir: Path, **order: Any) -> Ended:
        """One process's life; see `stand.py` for what may be ordered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        run_dir.mkdir(exist_ok=True)
        errors = run_dir.parent / f"errors-of-{run_dir.name}"
        print(json.dumps({"run_dir": str(run_dir), "errors": str(errors), **order}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["status"], answer["told"], answer["calls"], run_dir / "trials" / answer["id"], errors.read_text())


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the fault injection is a preloaded library: it needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("stand")
    library = folder / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", library, HERE / "shim.c", "-ldl"], check=True)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", HERE / "stand.py", folder],
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONHASHSEED": "random", "PYTHONPATH": str(HERE.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Stand(process)
        assert process.stdin is not None
        process.stdin.close()


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that a finished trial has left, but for its timings: what must not depend on how often it was killed."""
    record = read_trial(folder)

    def timeless(part: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if part is None else {key: value for key, value in part.items() if key != "seconds"}

    connection = sqlite3.connect(folder / "trial.sqlite")
    try:
        examples = connection.execute("SELECT * FROM examples ORDER BY interval, capability, difficulty, slot").fetchall()
    finally:
        connection.close()
    return {
        "status": record.status,
        "spec": record.spec,
        "start": timeless(record.start),
        "final": timeless(record.final),  # with the hash of the trained weights
        "records": record.intervals,
        "states": record.states,  # hashes of allocator, scheduler, ledger, prompts, probes and checkpoint, after each interval
        "examples": examples,
        "files": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")),  # and no garbage
    }
