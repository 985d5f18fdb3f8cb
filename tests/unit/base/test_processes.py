"""Processes start wherever TMPDIR points, or one line says what is wrong with it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from readbench.base.processes import uninterrupted

SCRIPT = """
from readbench.base import processes
from readbench.base.errors import SurroundingError

if __name__ == "__main__":
    processes._SHORT_FOLDERS = {folders}
    try:
        process = processes.context("forkserver").Process(target=print, args=("started",), kwargs={{"flush": True}})
    except SurroundingError as error:
        raise SystemExit(str(error))
    process.start()
    process.join()
"""


@pytest.mark.parametrize("reachable", [True, False])
def test_a_tmpdir_that_is_too_long_for_a_socket_is_avoided_or_named(*, reachable: bool, tmp_path: Path) -> None:
    scratch = tmp_path / ("scratch-" * 20)
    scratch.mkdir()
    script = tmp_path / "start.py"
    script.write_text(SCRIPT.format(folders=("/nowhere", "/tmp") if reachable else ("/nowhere",)))  # noqa: S108
    environment = os.environ | {"TMPDIR": str(scratch)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    if reachable:
        assert (done.stdout, done.stderr) == ("started\n", "")
    else:
        assert done.stderr == f"TMPDIR is too long for the path of a socket: {scratch}; set TMPDIR to a shorter folder\n"
    assert list(scratch.iterdir()) == []


class Heard(Exception):
    """A handler's way to end what the main thread does."""


def work_whole(number: signal.Signals, done: list[str]) -> None:
    with uninterrupted():
        signal.raise_signal(number)
        done.append("whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_what_must_be_whole_is_done(number: signal.Signals) -> None:
    def hear(*_: object) -> None:
        raise Heard

    done: list[str] = []
    before = signal.signal(number, hear)
    try:
        with pytest.raises(Heard):
            work_whole(number, done)
        assert done == ["whole"]
        assert signal.getsignal(number) is hear
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_handlers_stay_as_they_are() -> None:
    seen = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


BARS = """
import os, signal
from tqdm import tqdm
from readbench.base.processes import part_from_bars

tqdm(range(2), file=open(os.devnull, "w")).close()  # a bar's thread, if it has one, is there before the fork
part_from_bars()
child = os.fork()
if child == 0:
    tqdm.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)  # in the midst of a bar
os.waitpid(child, 0)
for _ in tqdm(range(2), file=open(os.devnull, "w")):
    pass
print("done")
"""


def test_a_process_killed_in_a_bar_does_not_stop_another_one_s(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BARS], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.stdout == b"done\n", done.stderr
