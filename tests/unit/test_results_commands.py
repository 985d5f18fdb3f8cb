"""The plain commands of the results are those that the benchmark runs."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_commands_are_those_of_the_benchmark() -> None:
    command = [sys.executable, str(BENCHMARKS / "results.py"), "commands"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == (BENCHMARKS / "results.sh").read_text(encoding="utf-8")
    assert shown.count("readbench run --suite") == 6 * 6 - 1  # one suite's card is wrong: its first run is told by pilots already
