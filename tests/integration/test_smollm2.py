"""A genuine instruct model teaches its own first six layers on a language suite, by the commands that the benchmark names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from readbench.results.document.reading import load

ROOT = Path(__file__).parents[2]
MAKER = ROOT / "benchmarks" / "smollm2.py"


@pytest.mark.slow
def test_a_real_teacher_and_student_end_a_run_on_a_cpu_with_verified_answers(tmp_path: Path) -> None:
    said = MAKER.read_text(encoding="utf-8").replace("\\\n", "")
    install = re.search(r"pip install (.*)", said)[1].split()  # type: ignore[index]
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", site, *install], cwd=ROOT, check=True)
    environment = os.environ | {"PYTHONPATH": str(site)}
    subprocess.run([sys.executable, MAKER, "models"], cwd=tmp_path, env=environment, check=True)
    command = re.search(r"readbench (run .*)", said)[1].split()  # type: ignore[index]
    subprocess.run([sys.executable, "-m", "readbench", *command, "--out", "run"], cwd=tmp_path, check=True)
    results = load(tmp_path / "run" / "results.json")
    assert len(results.complete) == 2
    for trial in results.complete:
        assert 3_000 < trial.tokens.charged <= 4_000
        assert trial.tokens.probe > 0
        taught = {name: sum(interval.examples[name] for interval in trial.intervals) for name in results.suite.capabilities}
        verified = {name: sum((interval.verified or {})[name] for interval in trial.intervals) for name in taught}
        assert all(0 <= verified[name] <= taught[name] for name in taught)
        assert sum(taught.values()) > 15
    assert results.start is not None
    assert results.start.teacher_profile is not None
    assert max(results.start.teacher_profile.values()) < 0.5  # so small a model finds a cell at times, and adds nothing up
