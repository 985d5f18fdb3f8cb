"""Trials on a Ray cluster of two nodes: the pool's results to the bit, whatever dies meanwhile; and what such a cluster lacks is said."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from readbench.runs.executors.cluster.storage import Folder
from readbench.trials.record.trial_file import read_trial
from support.commands import command

pytest.importorskip("ray")
GRID = ("--suite", "multilingual", "--allocators", "uniform,task-static", "--seeds", "2", "--budget", "8000", "--intervals", "4")
SMALL = ("--set", "num_probes=8", "--set", "num_dev=8")


def plain(run_dir: Path) -> Any:
    """The results without what a machine or a moment may change."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(each) for key, each in value.items() if key not in ("seconds", "digest", "environment", "run")}
        return [kept(each) for each in value] if isinstance(value, list) else value

    return kept(json.loads((run_dir / "results.json").read_text()))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The pool's results."""
    folder = tmp_path_factory.mktemp("pool")
    outcome = command("run", *GRID, *SMALL, "--out", folder / "run")
    assert outcome.returncode == 0, outcome.stderr
    return plain(folder / "run")


class Nodes:
    """A head without a core for trials, and nodes with one each."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address = cluster.address
        self.workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.wait_for_nodes()

    def kill(self, number: int) -> None:
        self._cluster.remove_node(self.workers[number], allow_graceful=False)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield Nodes(cluster)
    finally:
        cluster.shutdown()


def started(run_dir: Path, address: str) -> subprocess.Popen[str]:
    arguments = ["run", *GRID, *SMALL, "--executor", "ray", "--ray-address", address, "--out", str(run_dir)]
    return subprocess.Popen(
        [sys.executable, "-m", "readbench", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=run_dir.parent,
    )


def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is."""
    for _ in range(2400):
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it never came")


def heads(run_dir: Path) -> set[str]:
    """Of trials that have committed an interval; each names its attempt."""
    found = set()
    for head in (run_dir / "storage" / "trials").glob("*/head.json"):
        with contextlib.suppress(FileNotFoundError):
            found.add(head.read_text())
    return found


def complete_once(run_dir: Path) -> None:
    folders = list((run_dir / "trials").iterdir())
    assert len(folders) == 4
    assert all(read_trial(folder).status == "complete" for folder in folders)
    assert not (run_dir / "storage").exists()


def test_two_nodes_compute_what_the_pool_computes_though_one_dies_and_a_worker_too(nodes: Nodes, expected: Any, tmp_path: Path) -> None:
    driver = started(tmp_path / "run", nodes.address)
    until(lambda: heads(tmp_path / "run"))
    nodes.kill(0)
    until(lambda: len(heads(tmp_path / "run")) > 1 or any((tmp_path / "run" / "trials").glob("*/student")))
    victims = [process for process in psutil.process_iter(["cmdline"]) if "ray::run" in " ".join(process.info["cmdline"] or ())]
    for victim in victims:
        victim.kill()
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 0, errors
    assert plain(tmp_path / "run") == expected
    complete_once(tmp_path / "run")


def test_a_killed_driver_and_a_stopped_one_are_resumed_anywhere(nodes: Nodes, expected: Any, tmp_path: Path) -> None:
    driver = started(tmp_path / "run", nodes.address)
    until(lambda: heads(tmp_path / "run"))
    driver.kill()
    driver.communicate()
    left = heads(tmp_path / "run")
    assert (tmp_path / "run" / "storage.json").exists()
    resumed = subprocess.Popen(
        [sys.executable, "-m", "readbench", "resume", str(tmp_path / "run")], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    until(lambda: not heads(tmp_path / "run") & left)  # brought into the run directory; the killed driver's tasks may commit until then
    until(lambda: heads(tmp_path / "run"))  # under way again
    resumed.send_signal(signal.SIGTERM)
    _, errors = resumed.communicate(timeout=60)
    assert resumed.returncode == 143, errors
    assert "readbench resume" in errors
    assert any(read_trial(folder).intervals for folder in (tmp_path / "run" / "trials").iterdir())
    assert not heads(tmp_path / "run")
    outcome = command("resume", tmp_path / "run", "--executor", "pool")
    assert outcome.returncode == 0, outcome.stderr
    assert plain(tmp_path / "run") == expected
    complete_once(tmp_path / "run")


def refused(tmp_path: Path, *arguments: str, code: int = 5) -> str:
    outcome = command("run", *GRID, *SMALL, "--executor", "ray", "--out", tmp_path / "run", *arguments)
    assert (outcome.returncode, outcome.stdout) == (code, "")
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "run").exists()
    return lines[0]


def test_what_a_cluster_lacks_is_said_at_once(nodes: Nodes, tmp_path: Path) -> None:
    ray = ("--ray-address", nodes.address)
    assert "no node of the Ray cluster has 1 CPU and 2 GPU: the largest has 0 GPU" in refused(tmp_path, *ray, "--set", "cluster.num_gpus=2")
    assert "has 3 CPU: the largest has 1 CPU" in refused(tmp_path, *ray, "--set", "cluster.num_cpus=3")
    (tmp_path / "file").write_text("")
    assert f"cannot write {tmp_path / 'file'}" in refused(tmp_path, *ray, "--storage", str(tmp_path / "file"))
    assert "no Ray cluster answers at 127.0.0.1:1" in refused(tmp_path, "--ray-address", "127.0.0.1:1")
    assert "is an address of Ray's client" in refused(tmp_path, "--ray-address", "ray://127.0.0.1:1", code=2)


def test_a_storage_that_a_node_does_not_share_is_named(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Folder.write

    def elsewhere(self: Folder, name: str, content: bytes) -> None:  # what a driver without the shared mount does
        written(Folder(tmp_path / "mine"), name, content)

    monkeypatch.setattr(Folder, "write", elsewhere)
    line = refused(tmp_path, "--ray-address", nodes.address, "--storage", str(tmp_path / "shared"))
    assert re.search(r"node [\d.]+ does not see what the driver wrote to .*; give --storage a folder or a URL that", line)
