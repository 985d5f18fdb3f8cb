import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import readbench_suites
from readbench.results.document.building import rebuild
from support.commands import command
from support.plugins import install

SHORT = ("--suite", "multilingual", "--budget", "9000", "--intervals", "3", "--set", "num_probes=9", "--set", "num_dev=9")
INLINE = ("--set", "executor=inline")


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What two runs of one config must share."""
    trials = [{key: value for key, value in trial.items() if key != "seconds"} for trial in document["trials"]]
    return {key: value for key, value in document.items() if key not in ("run", "environment", "digest")} | {"trials": trials}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two allocators and two seeds by two workers."""
    run_dir = tmp_path_factory.mktemp("runs") / "two-workers"
    grid = ("--allocators", "read-cold,uniform", "--seeds", "2", "--workers", "2")
    whole = [sys.executable, "-m", "readbench", "run", *SHORT, *grid, "--out", str(run_dir)]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return run_dir


@pytest.mark.parametrize("where", [("--workers", "1"), ("--set", "executor=inline")])
def test_one_worker_two_or_none_give_the_same_results(finished: Path, tmp_path: Path, where: tuple[str, str]) -> None:
    alone = command("run", *SHORT, "--allocators", "read-cold,uniform", "--seeds", "2", *where, "--out", str(tmp_path / "one"), "--json")
    assert alone.returncode == 0, alone.stderr
    assert comparable(json.loads(alone.stdout)) == comparable(json.loads((finished / "results.json").read_text()))


def test_the_same_command_on_a_finished_run_directory_says_that_all_is_done(finished: Path) -> None:
    before = (finished / "results.json").read_bytes()
    again = command("run", *SHORT, "--allocators", "read-cold,uniform", "--seeds", "2", "--out", str(finished))
    assert again.returncode == 0
    assert "nothing to run" in again.stderr
    assert (finished / "results.json").read_bytes() == before


def test_results_are_rebuilt_from_the_trials_alone(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / finished.name
    shutil.copytree(finished, copy)
    written = (copy / "results.json").read_bytes()
    (copy / "results.json").unlink()
    assert command("results", str(copy)).returncode == 0
    assert (copy / "results.json").read_bytes() == written


def test_a_finished_run_grows_by_seeds_and_allocators_and_keeps_what_it_has(finished: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    grid = ("run", *SHORT, "--set", "executor=inline", "--out", str(grown))
    first = command(*grid, "--allocators", "read-cold", "--seeds", "1")
    assert first.returncode == 0, first.stderr
    record = next(grown.glob("trials/*/trial.sqlite"))
    before = record.read_bytes()
    smaller = command(*grid, "--allocators", "uniform", "--seeds", "1")
    assert smaller.returncode == 2
    assert "name the run's own too, to add to them" in smaller.stderr
    other = command(*grid, "--allocators", "read-cold,uniform", "--seeds", "2", "--set", "num_dev=10")
    assert "num_dev was 9, is now 10" in other.stderr
    whole = command(*grid, "--allocators", "read-cold,uniform", "--seeds", "2")
    assert whole.returncode == 0, whole.stderr
    assert record.read_bytes() == before
    assert comparable(json.loads((grown / "results.json").read_text())) == comparable(json.loads((finished / "results.json").read_text()))
    assert command("resume", str(grown)).returncode == 0


def test_a_finished_run_is_scored_again_on_a_changed_test_set_without_training(finished: Path, tmp_path: Path) -> None:
    def utilities(file: Path) -> dict[str, float]:
        return {trial["id"]: trial["metrics"]["utility"] for trial in json.loads(file.read_text())["trials"]}

    same = command("evaluate", str(finished), "-o", str(tmp_path / "same.json"))
    assert same.returncode == 0, same.stderr
    assert utilities(tmp_path / "same.json") == utilities(finished / "results.json")

    own = tmp_path / "own"
    shutil.copytree(Path(readbench_suites.__file__).parent / "multilingual", own)
    test = next(own.glob("*.jsonl"))
    lines = test.read_text().splitlines()
    test.write_text("\n".join(lines[:100]) + "\n")
    changed = command("evaluate", str(finished), "--suite", str(own), "-o", str(tmp_path / "changed.json"))
    assert changed.returncode == 0, changed.stderr
    assert "on 100 questions" in changed.stderr
    document = json.loads((tmp_path / "changed.json").read_text())
    assert utilities(tmp_path / "changed.json") != utilities(finished / "results.json")
    for trial in document["trials"]:
        assert trial["metrics"]["utility_gain"] == trial["metrics"]["utility"] - document["start"]["utility"]
    assert command("report", str(tmp_path / "changed.json"), "-o", str(tmp_path / "page.html")).returncode == 0

    suite = own / "suite.yaml"
    suite.write_text(suite.read_text().replace("weight: 0.3", "weight: 0.6"))
    refused = command("evaluate", str(finished), "--suite", str(own))
    assert refused.returncode == 2
    assert "the suite's requirement was" in refused.stderr


def test_another_config_on_the_directory_is_refused_and_names_what_differs(finished: Path) -> None:
    other = command("run", *SHORT, "--allocators", "read-cold,uniform", "--seeds", "1", "--out", str(finished))
    assert other.returncode == 2
    assert "seeds" in other.stderr
    assert "another config" in other.stderr


def test_the_final_student_loads_with_transformers(finished: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = next((finished / "trials").iterdir()) / "student"
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert model(**tokenizer("1", return_tensors="pt")).logits.shape[-1] == model.config.vocab_size


def test_its_page_shows_an_example_of_each_capability(finished: Path, tmp_path: Path) -> None:
    assert command("report", str(finished), "-o", str(tmp_path / "page.html")).returncode == 0
    examples = json.loads((finished / "results.json").read_text())["start"]["examples"]
    assert (tmp_path / "page.html").read_text().count('<pre class="prompt"') == len(examples) == 8


def test_a_run_that_stopped_before_its_results_is_reported_as_far_as_it_got_and_left_as_it_was(finished: Path, tmp_path: Path) -> None:
    stopped = tmp_path / finished.name
    shutil.copytree(finished, stopped)
    (stopped / "results.json").unlink()
    missing = next(trial for trial in json.loads((stopped / "run.json").read_text())["trials"] if trial["allocator"] == "uniform")
    shutil.rmtree(stopped / "trials" / missing["id"])
    before = sorted(path for path in stopped.rglob("*") if path.is_file())
    reported = command("report", str(stopped))
    assert reported.returncode == 4
    assert reported.stderr == f"error: 1 of 4 trials have no result: the report names them; readbench resume {stopped}\n"
    page = (stopped / "report.html").read_text()
    assert "Incomplete: 1 of 4 trials have no result." in page
    assert sorted(path for path in stopped.rglob("*") if path.is_file() and path.name != "report.html") == before


def test_a_killed_run_is_resumed_to_the_same_results(finished: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "killed"
    whole = [sys.executable, "-m", "readbench", "run", *SHORT, "--allocators", "read-cold,uniform", "--seeds", "2", "--out", str(run_dir)]
    process = subprocess.Popen(whole, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not list(run_dir.glob("trials/*/checkpoints/*")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert not (run_dir / "results.json").exists()
    assert command("resume", run_dir).returncode == 0
    assert comparable(json.loads((run_dir / "results.json").read_text())) == comparable(json.loads((finished / "results.json").read_text()))


def test_ctrl_c_ends_with_130_and_prints_the_command_that_goes_on(tmp_path: Path) -> None:
    run_dir = tmp_path / "interrupted"
    whole = [sys.executable, "-m", "readbench", "run", *SHORT, "--allocators", "uniform", "--seeds", "2", "--out", str(run_dir)]
    process = subprocess.Popen(whole, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(run_dir.glob("trials/*/checkpoints/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"readbench resume {run_dir}" in errors
    assert "Traceback" not in errors


def test_a_failed_trial_is_recorded_the_others_go_on_and_the_exit_code_is_4(tmp_path: Path) -> None:
    module = (
        "import numpy as np\n"
        "from readbench.api import allocator\n"
        "class Faulty:\n"
        "    def propose(self, observation): return np.full(8, np.nan)\n"
        "    def update(self, feedback): pass\n"
        "    def state(self): return b''\n"
        "    def restore(self, state): pass\n"
        "@allocator('faulty')\n"
        "def faulty(problem, seed):\n"
        "    '''Proposes NaN.'''\n"
        "    return Faulty()\n"
    )
    install(tmp_path, "faulty", module)
    run_dir = tmp_path / "run"
    done = command("run", *SHORT, *INLINE, "--allocators", "faulty,uniform", "--seeds", "1", "--out", run_dir, site=tmp_path)
    assert done.returncode == 4
    assert "not on the simplex" in done.stderr
    assert "Traceback" not in done.stderr
    trials = {trial["allocator"]: trial for trial in json.loads((run_dir / "results.json").read_text())["trials"]}
    assert trials["faulty"]["status"] == "failed"
    assert "not on the simplex" in trials["faulty"]["failure"]
    assert trials["uniform"]["status"] == "complete"
    assert rebuild(run_dir).trials[0].metrics is None
