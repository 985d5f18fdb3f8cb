"""`readbench report` on a real run: finished, and stopped halfway."""

import json
import shutil
from pathlib import Path

import pytest

from readbench.cli.main import main

SHORT = ("--suite", "reasoning", "--budget", "9000", "--intervals", "3", "--set", "num_probes=9", "--set", "num_dev=9")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    assert main(["run", *SHORT, "--allocators", "uniform,task-static", "--seeds", "1", "--workers", "1", "--out", str(run_dir)]) == 0
    return run_dir


def test_a_finished_run_has_a_page_with_its_examples_and_its_command(finished: Path) -> None:
    assert main(["report", str(finished)]) == 0
    page = (finished / "report.html").read_text()
    examples = json.loads((finished / "results.json").read_text())["start"]["examples"]
    assert page.count('<pre class="prompt"') == len(examples) == 8
    assert "One seed: no intervals are given." in page


def test_a_run_that_stopped_before_its_results_is_reported_as_far_as_it_got_and_left_as_it_was(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = tmp_path / "stopped"
    shutil.copytree(finished, stopped)
    (stopped / "results.json").unlink()
    missing = next(t for t in json.loads((stopped / "run.json").read_text())["trials"] if t["allocator"] == "uniform")
    shutil.rmtree(stopped / "trials" / missing["id"])
    before = sorted(path for path in stopped.rglob("*") if path.is_file() and path.name != "report.html")
    capsys.readouterr()
    assert main(["report", str(stopped)]) == 4
    assert capsys.readouterr().err == f"error: 1 of 2 trials have no result: the report names them; readbench resume {stopped}\n"
    page = (stopped / "report.html").read_text()
    assert "Incomplete: 1 of 2 trials have no result." in page
    assert "<bdi>uniform</bdi>" in page
    assert sorted(path for path in stopped.rglob("*") if path.is_file() and path.name != "report.html") == before
