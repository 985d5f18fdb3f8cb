"""P5: one writer a trial, and one process a run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from readbench.base import files
from readbench.base.errors import SurroundingError
from readbench.trials.record.store import TrialState, TrialStore
from readbench.trials.record.trial_file import find_trial

OWNER = """
import sys
from pathlib import Path
from readbench.base.errors import ReadbenchError
from readbench.trials.record.store import TrialState, TrialStore
try:
    with TrialStore.open(Path(sys.argv[1]), "id", {}) as store:
        print("open", flush=True)
        for interval in map(int, sys.stdin):
            values = dict(allocator=b"", scheduler=b"", ledger=b"", prompts=[], probe_scores=[], checkpoint=sys.argv[2].encode())
            store.commit_interval({"by": sys.argv[2]}, {}, [], TrialState(interval=interval, **values))
            print("committed", flush=True)
except ReadbenchError as error:
    print(error, flush=True)
"""
Owner = "subprocess.Popen[str]"


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Callable[[str], Owner]]:
    """Starts processes that want to write the trial; their first line says whether they may."""
    started: list[Owner] = []

    def start(name: str) -> Owner:
        command = [sys.executable, "-c", OWNER, str(tmp_path / "id"), name]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(process: Owner) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: Owner, interval: int) -> str:
    assert process.stdin is not None
    print(interval, file=process.stdin, flush=True)
    return line(process)


def test_of_processes_that_race_one_writes_and_the_others_are_told_which(owner: Callable[[str], Owner]) -> None:
    racing = [owner(f"{number}") for number in range(4)]
    said = {process.pid: line(process) for process in racing}
    (winner,) = [pid for pid, text in said.items() if text == "open"]
    for pid, text in said.items():
        assert pid == winner or text.startswith(f"trial id is running in process {winner} on {os.uname().nodename}")


def test_a_killed_owner_frees_the_trial_and_what_it_committed_stays(owner: Callable[[str], Owner], tmp_path: Path) -> None:
    first = owner("first")
    assert (line(first), tell(first, 0)) == ("open", "committed")
    first.kill()
    first.wait()
    second = owner("second")
    assert (line(second), tell(second, 1)) == ("open", "committed")
    record = find_trial(tmp_path / "id")
    assert record is not None
    assert record.intervals == [{"by": "first"}, {"by": "second"}]


def test_an_owner_that_was_stopped_and_wakes_up_after_a_takeover_commits_nothing(owner: Callable[[str], Owner], tmp_path: Path) -> None:
    first = owner("first")
    assert (line(first), tell(first, 0)) == ("open", "committed")
    first.send_signal(signal.SIGSTOP)
    (tmp_path / "id" / "lock").unlink()  # as on a file system whose locks do not hold
    second = owner("second")
    assert (line(second), tell(second, 1)) == ("open", "committed")
    first.send_signal(signal.SIGCONT)
    assert "was taken over by another process" in tell(first, 1)
    assert tell(second, 2) == "committed"
    record = find_trial(tmp_path / "id")
    assert record is not None
    assert [interval["by"] for interval in record.intervals] == ["first", "second", "second"]


def test_without_the_epoch_the_sleeper_would_have_committed(tmp_path: Path) -> None:
    """The proof that the test above tests the epoch: with the row's epoch set back, the same commit passes."""
    state = TrialState(interval=0, allocator=b"", scheduler=b"", ledger=b"", prompts=[], probe_scores=[], checkpoint=b"")
    with TrialStore.open(tmp_path / "id", "id", {}) as first:
        (tmp_path / "id" / "lock").unlink()
        with TrialStore.open(tmp_path / "id", "id", {}) as second:
            with pytest.raises(SurroundingError, match="taken over"):
                first.commit_interval({}, {}, [], state)
            first._epoch = second._epoch
            first.commit_interval({}, {}, [], state)


def test_a_lock_that_the_file_system_does_not_know_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    reason = r"cannot lock .*: Operation not supported; give a folder on a local disk"
    with pytest.raises(SurroundingError, match=reason), files.locked(tmp_path / "lock", "it"):
        pass
