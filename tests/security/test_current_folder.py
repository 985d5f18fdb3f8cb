"""The current folder is a user's own: a file there that has the name of a module is never taken for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import readbench

NAMES = ("datasets", "numpy", "random", "selectors", "signal", "socket", "struct", "tempfile", "threading", "torch")
STARTS = """
import multiprocessing.util
from readbench.base import processes

if __name__ == "__main__":
    context = processes.context({method!r})
    process = context.Process(target=multiprocessing.util.get_temp_dir)
    process.start()
    process.join()
    context.SimpleQueue().close()
    print("code", process.exitcode)
"""


STARTER = re.compile(r"\b(get_context|ForkServerContext|SpawnContext)\(")


@pytest.fixture
def booby_trapped(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'executed')!r}).touch()\n")
    return folder


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_new_process_executes_nothing_of_the_current_folder(method: str, booby_trapped: Path, tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_text(STARTS.format(method=method))
    done = subprocess.run([sys.executable, script], cwd=booby_trapped, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("code 0\n", "")
    assert not (tmp_path / "executed").exists()


def test_a_run_executes_nothing_of_the_current_folder(booby_trapped: Path, tmp_path: Path) -> None:
    small = {"num_probes": 4, "num_dev": 4, "max_new_tokens": 16}
    flags = ["--allocators", "uniform", "--seeds", "1", "--budget", "4000", "--intervals", "1"]
    flags += [part for name, value in small.items() for part in ("--set", f"{name}={value}")]
    command = [Path(sys.executable).parent / "readbench", "run", "--suite", "multilingual", *flags, "--out", tmp_path / "run"]
    done = subprocess.run(command, cwd=booby_trapped, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists()


def test_processes_are_started_in_one_place() -> None:
    root = Path(readbench.__file__).parent
    starters = {file.relative_to(root).as_posix() for file in root.rglob("*.py") if STARTER.search(file.read_text(encoding="utf-8"))}
    assert starters == {"base/processes.py"}
