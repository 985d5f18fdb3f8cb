"""The plain commands of the results are those that the benchmarks run."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("results", 6 * 6 - 1),  # one suite's card is wrong: its first run is told by pilots already
        ("objectives", 2 * 14),
    ],
)
def test_the_commands_are_those_of_the_benchmark(name: str, count: int) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "commands"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == (BENCHMARKS / f"{name}.sh").read_text(encoding="utf-8")
    assert shown.count("readbench run --suite") == count
