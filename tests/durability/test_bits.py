"""A run is not resumed where other bits are computed, whatever the labels say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch.nn import functional

from readbench import _core
from readbench.runs.executors.fingerprint import fingerprint, measured_hash

GRID = ("--suite", "multilingual", "--allocators", "uniform,gap", "--seeds", "1", "--budget", "4000", "--intervals", "1")
RUN = ("run", *GRID, "--set", "num_probes=4", "--set", "num_dev=4", "--out", "run")
# The bits of a product of matrices, found without the code under test.
PRODUCT = """
import hashlib, torch
torch.set_num_threads(1)
left, right = (torch.arange(96 * 96).reshape(96, 96).mul(factor).remainder(1009).float() / 1009 for factor in (7919, 104729))
print(hashlib.sha256((left @ right).softmax(-1).exp().numpy().tobytes()).hexdigest())
"""
KERNELS = (
    pytest.param({"MKL_CBWR": "COMPATIBLE"}, id="MKL", marks=pytest.mark.slow),  # the same machinery by another library: half a minute
    pytest.param({"ATEN_CPU_CAPABILITY": "default"}, id="ATEN"),
)


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {key: value for key, value in os.environ.items() if key not in ("MKL_CBWR", "ATEN_CPU_CAPABILITY")} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=chosen, capture_output=True, text=True, check=False)


def readbench(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "readbench", *arguments, **environment)


def test_a_fingerprint_is_the_same_when_measured_again() -> None:
    assert fingerprint("cpu") == fingerprint("cpu")


@pytest.mark.parametrize("setting", KERNELS)
def test_a_run_begun_with_other_kernels_is_refused(setting: dict[str, str], tmp_path: Path) -> None:
    products = [python(tmp_path, "-c", PRODUCT, **environment) for environment in (setting, {})]
    assert all(product.returncode == 0 for product in products), products
    if products[0].stdout == products[1].stdout:
        pytest.skip("this machine computes the same bits with and without the variable")
    begun = readbench(tmp_path, *RUN, **setting)
    assert begun.returncode == 0, begun.stderr
    shutil.rmtree(next((tmp_path / "run" / "trials").iterdir()))  # something is left to do
    refused = readbench(tmp_path, "resume", "run")
    assert refused.returncode == 2
    assert "the run was begun where other bits are computed" in refused.stderr
    resumed = readbench(tmp_path, "resume", "run", **setting)
    assert resumed.returncode == 0, resumed.stderr


def test_a_fingerprint_depends_on_the_library_s_attention_and_on_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, attend = functional.scaled_dot_product_attention, _core.attend

    def moved(*given: Any) -> None:
        attend(*given)
        given[-1][...] *= 1 + 1e-6

    found = {measured_hash("cpu")}
    with monkeypatch.context() as patched:
        patched.setattr(functional, "scaled_dot_product_attention", lambda *given, **named: whole(*given, **named) * (1 + 1e-6))
        found.add(measured_hash("cpu"))
    monkeypatch.setattr(_core, "attend", moved)
    found.add(measured_hash("cpu"))
    assert len(found) == 3
