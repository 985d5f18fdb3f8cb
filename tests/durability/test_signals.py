"""P6: the first SIGINT or SIGTERM commits and ends with 130 or 143, the second ends at once; no process is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.trials.record.trial_file import find_trial

INTERVALS = 3
RUN = (
    "run",
    "--suite",
    "multilingual",
    "--allocators",
    "uniform,random",
    "--seeds",
    "1",
    "--budget",
    "9000",
    "--intervals",
    f"{INTERVALS}",
)
SMALL = ("--set", "num_probes=9", "--set", "num_dev=9", "--workers", "1")
PATIENCE = 180.0  # seconds; nothing is asserted about them


def comparable(run_dir: Path) -> dict[str, Any]:
    document = json.loads((run_dir / "results.json").read_text())
    trials = [{key: value for key, value in trial.items() if key != "seconds"} for trial in document["trials"]]
    varying = {"run", "environment", "digest", "provenance"}  # provenance: readbench's code may be edited while its tests run
    return {key: value for key, value in document.items() if key not in varying} | {"trials": trials}


def start(run_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "readbench", *RUN, *SMALL, "--out", str(run_dir)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)


def resume(run_dir: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "readbench", "resume", run_dir], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def committed(run_dir: Path) -> int:
    """Intervals of all trials."""
    total = 0
    for folder in run_dir.glob("trials/*"):
        try:
            record = find_trial(folder)
        except ConfigError:  # looked at while it is being made
            continue
        total += 0 if record is None else len(record.intervals)
    return total


PHASES: dict[str, Callable[[Path], bool]] = {
    "planning": lambda run_dir: run_dir.parent.exists(),
    "measuring": lambda run_dir: (run_dir / "run.json").exists(),
    "beginning": lambda run_dir: (run_dir / "trials").exists(),
    "training": lambda run_dir: committed(run_dir) >= 1,
    "evaluating": lambda run_dir: committed(run_dir) >= INTERVALS,
}


def wait_for(reached: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def orphans(session: int) -> list[str]:
    """Living processes of the session, forkservers and workers included, once they have had the time to end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        alive = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(of) == session and state != "Z":
                alive.append(stat.parent.name)
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.05)


@pytest.mark.parametrize("delay", [0.1, 0.4])
def test_a_signal_while_workers_start_costs_one_line(tmp_path: Path, delay: float) -> None:
    process = start(tmp_path / "run")
    wait_for(partial(PHASES["measuring"], tmp_path / "run"), process)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == f"error: interrupted; resume with: readbench resume {tmp_path / 'run'}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    process = start(run_dir)
    assert process.communicate()[1] is not None
    assert process.returncode == 0
    return comparable(run_dir)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_in_any_phase_leaves_a_run_that_is_resumed_to_the_same_result(
    whole: dict[str, Any], tmp_path: Path, phase: str, number: signal.Signals
) -> None:
    run_dir = tmp_path / "run"
    process = start(run_dir)
    if phase == "planning":
        time.sleep(0.5)
    wait_for(partial(PHASES[phase], run_dir), process)
    before = committed(run_dir)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert orphans(process.pid) == []
    assert committed(run_dir) >= before
    if phase != "planning":
        assert process.returncode == 128 + number
        assert errors.splitlines()[-1] == f"error: interrupted; resume with: readbench resume {run_dir}"
    else:
        assert process.returncode in (128 + number, -number)  # nothing was begun: the default may strike
    if (run_dir / "run.json").exists():
        resume(run_dir)
        assert comparable(run_dir) == whole


def test_a_terminated_run_and_all_its_processes_end_with_143_and_the_command_to_go_on(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(run_dir)
    wait_for(lambda: committed(run_dir) >= 1, process)
    os.killpg(process.pid, signal.SIGTERM)  # as a batch system does: to every process
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert errors.splitlines()[-1] == f"error: interrupted; resume with: readbench resume {run_dir}"
    assert "Traceback" not in errors
    assert orphans(process.pid) == []


@pytest.mark.slow
def test_the_second_signal_ends_the_run_at_once(whole: dict[str, Any], tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(run_dir)
    wait_for(lambda: committed(run_dir) >= 1, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert orphans(process.pid) == []
    resume(run_dir)
    assert comparable(run_dir) == whole


def test_a_killed_run_leaves_no_worker_behind(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(run_dir)
    wait_for(lambda: committed(run_dir) >= 1, process)
    process.kill()
    process.communicate()
    assert orphans(process.pid) == []


@pytest.mark.slow
def test_the_lab_s_run_killed_at_ten_moments_is_resumed_to_the_same_result(
    whole: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for moment in range(10):
        run_dir = tmp_path / f"{moment}"
        process = start(run_dir)
        if moment < 2:
            wait_for((run_dir / ("lock", "fingerprint.json")[moment]).exists, process)
        else:
            wait_for(lambda: committed(run_dir) > (moment - 2) * 2 * INTERVALS // 8, process)  # noqa: B023
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if (run_dir / "run.json").exists():
            resume(run_dir)
            assert comparable(run_dir) == whole
        shutil.rmtree(run_dir)
    with capsys.disabled():
        print("\nlab student: 10 kills of the whole process group, 0 differing results")
