"""Processes start wherever TMPDIR points, or one line says what is wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
