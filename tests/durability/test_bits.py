"""A run is not resumed where other bits are computed, whatever the labels say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from readbench.runs.executors.fingerprint import fingerprint

RUN = ("run", "--suite", "reasoning", "--allocators", "uniform,gap", "--seeds", "1", "--budget", "6000", "--intervals", "2", "--out", "run")
MEASURE = (
    "import torch; torch.set_num_threads(1)\nfrom readbench.runs.executors.fingerprint import measured_hash\nprint(measured_hash('cpu'))"
)
KERNELS = ({"MKL_CBWR": "COMPATIBLE"}, {"ATEN_CPU_CAPABILITY": "default"})


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {key: value for key, value in os.environ.items() if key not in ("MKL_CBWR", "ATEN_CPU_CAPABILITY")} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=chosen, capture_output=True, text=True, check=False)


def readbench(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "readbench", *arguments, **environment)


def test_a_fingerprint_is_the_same_when_measured_again() -> None:
    assert fingerprint("cpu") == fingerprint("cpu")


@pytest.mark.parametrize("setting", KERNELS, ids=lambda setting: next(iter(setting)))
def test_a_run_begun_with_other_kernels_is_refused(setting: dict[str, str], tmp_path: Path) -> None:
    measured = [python(tmp_path, "-c", MEASURE, **environment).stdout for environment in (setting, {})]
    if measured[0] == measured[1]:
        pytest.skip("this machine computes the same bits with and without the variable")
    begun = readbench(tmp_path, *RUN, **setting)
    assert begun.returncode == 0, begun.stderr
    shutil.rmtree(next((tmp_path / "run" / "trials").iterdir()))  # something is left to do
    refused = readbench(tmp_path, "resume", "run")
    assert refused.returncode == 2
    assert "the run was begun where other bits are computed" in refused.stderr
    resumed = readbench(tmp_path, "resume", "run", **setting)
    assert resumed.returncode == 0, resumed.stderr
