"""P3: a full or failing disk stops the trial, says so in one line and loses nothing; a resume works once there is room."""

import errno
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Ended, Stand, outcome

SAMPLED = 8
FAULTS = [("fail on", errno.ENOSPC), ("fail once", errno.EIO), ("fail on", errno.EROFS)]


@pytest.fixture(scope="module")
def whole(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    ended = stand.trial(tmp_path_factory.mktemp("whole") / "run")
    assert ended.status == 0, ended.error
    return ended


def survives(stand: Stand, run_dir: Path, whole: Ended, mode: str, number: int, at: int) -> bool:
    """Whether the trial was stopped by the fault."""
    stopped = stand.trial(run_dir, mode=mode, errno=number, at=at)
    assert stopped.status in (0, 5), f"at {at}: {stopped.error}"
    if stopped.status == 5:
        assert stopped.error.startswith("cannot ")
        assert stopped.error.count("\n") == 1
    resumed = stand.trial(run_dir)
    assert resumed.status == 0, f"at {at}: {resumed.error}"
    assert outcome(resumed.folder) == outcome(whole.folder)
    return stopped.status == 5


@pytest.mark.parametrize(("mode", "number"), FAULTS, ids=["full", "failing", "read-only"])
def test_a_trial_stopped_by_the_disk_is_resumed_to_the_same_result(
    stand: Stand, whole: Ended, tmp_path: Path, mode: str, number: int
) -> None:
    places = random.Random(number).sample(range(1, whole.calls + 1), SAMPLED)
    stopped = [survives(stand, tmp_path / f"{at}", whole, mode, number, at) for at in places]
    assert sum(stopped) > SAMPLED / 2


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "number"), FAULTS, ids=["full", "failing", "read-only"])
def test_every_call(stand: Stand, whole: Ended, tmp_path: Path, mode: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    places = range(1, whole.calls + 1, 2)
    stopped = sum(survives(stand, tmp_path / f"{at}", whole, mode, number, at) for at in places)
    with capsys.disabled():
        print(f"\n{errno.errorcode[number]} at {len(places)} calls: {stopped} stopped in one line, all resumed to the same result")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def readbench(*arguments: object, limit_kb: str = "unlimited") -> "subprocess.CompletedProcess[str]":
    command = ["bash", "-c", f'ulimit -f {limit_kb}; exec "$@"', "-", sys.executable, "-m", "readbench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


RUN = ("run", "--suite", "multilingual", "--allocators", "uniform", "--seeds", "2", "--budget", "6000", "--intervals", "2")


@pytest.mark.slow
def test_a_run_that_fills_its_disk_ends_with_5_and_goes_on_once_there_is_room(disk: Path) -> None:
    full = readbench(*RUN, "--out", disk / "run")
    assert (full.returncode, full.stdout) == (5, "")
    assert "No space left on device" in full.stderr.splitlines()[-1] or "disk is full" in full.stderr.splitlines()[-1]
    assert full.stderr.splitlines()[-1].startswith("error: cannot ")
    assert "Traceback" not in full.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    resumed = readbench(*RUN, "--out", disk / "run")
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
def test_a_run_whose_files_may_not_grow_ends_with_5_and_goes_on_once_they_may(tmp_path: Path) -> None:
    limited = readbench(*RUN, "--out", tmp_path / "run", limit_kb="200")
    assert (limited.returncode, limited.stdout) == (5, "")
    assert limited.stderr.splitlines()[-1].startswith("error: cannot ")
    assert "Traceback" not in limited.stderr
    resumed = readbench(*RUN, "--out", tmp_path / "run")
    assert resumed.returncode == 0, resumed.stderr
