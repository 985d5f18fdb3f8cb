"""The suites in plain language, whole, on models of a few thousand weights."""

import subprocess
import sys
from pathlib import Path

import pytest

from readbench.results.document.reading import load
from readbench.suites.suite import load_suite
from support.models import write_long_llama


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lm-math", "lm-reasoning", "lm-tools", "lm-generalist", "logic"])
def test_a_run_measures_every_capability_and_shows_no_right_answer_of_a_random_model(name: str, tmp_path: Path) -> None:
    for seed, model in enumerate(("teacher", "student")):
        write_long_llama(tmp_path / model, seed)
    sets = [f"--set={each}" for each in ("max_new_tokens=8", "num_probes=6", "num_dev=12", "executor=inline")]
    flags = ["--allocators", "uniform", "--seeds", "1", "--budget", "60000", "--intervals", "2", "--out", "run"]
    command = [sys.executable, "-m", "readbench", "run", "--suite", name, "--teacher", "./teacher", "--student", "./student", *flags, *sets]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (trial,) = load(tmp_path / "run").complete
    taught = {c: sum(interval.examples[c] for interval in trial.intervals) for c in load_suite(name).capabilities}
    assert min(taught.values()) > 0
    assert trial.metrics.utility == 0
    assert "answers verify" in done.stdout
