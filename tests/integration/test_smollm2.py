"""A genuine instruct model teaches its own first six layers on two language suites, by the commands that the benchmark names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from readbench.results.document.model import Results
from readbench.results.document.reading import load

ROOT = Path(__file__).parents[2]
MAKER = ROOT / "benchmarks" / "smollm2.py"


SAID = MAKER.read_text(encoding="utf-8").replace("\\\n", "")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both models."""
    base = tmp_path_factory.mktemp("smollm2")
    install = re.search(r"pip install (.*)", SAID)[1].split()  # type: ignore[index]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", base / "site", *install], cwd=ROOT, check=True)
    environment = os.environ | {"PYTHONPATH": str(base / "site")}
    subprocess.run([sys.executable, MAKER, "models"], cwd=base, env=environment, check=True)
    return base


def run(where: Path, suite: str) -> Results:
    """The benchmark's run of that suite."""
    command = re.search(rf"readbench (run --suite {suite} .*)", SAID)[1].split()  # type: ignore[index]
    subprocess.run([sys.executable, "-m", "readbench", *command, "--out", suite], cwd=where, check=True)
    return load(where / suite)


@pytest.mark.slow
def test_reinforcement_on_puzzles_ends_a_run_on_a_cpu_within_its_budget(where: Path) -> None:
    (trial,) = run(where, "logic").complete
    assert 9_000 < trial.tokens.charged <= 12_000
    for interval in trial.intervals:
        tokens = interval.tokens
        assert tokens.generated == 0
        assert min(tokens.rollout, tokens.trained, tokens.scored) > 0
        assert sum(interval.examples.values()) % 2 == 0  # groups of two
        assert {"reward", "equal_groups", "kl_to_teacher", "entropy"} <= interval.figures.keys()


@pytest.mark.slow
def test_a_real_teacher_and_student_end_a_run_on_a_cpu_with_verified_answers(where: Path) -> None:
    results = run(where, "lm-tools")
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
