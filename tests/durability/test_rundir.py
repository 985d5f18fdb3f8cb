"""What is asked of a run directory before anything runs in it; every refusal is one line and changes nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from readbench.base import files
from readbench.base.errors import ConfigError
from readbench.results.document.building import gather
from readbench.runs.config import resolve
from readbench.runs.directory import check_fingerprint, opened
from readbench.runs.plan import plan
from readbench.trials.record.run_files import read_run
from readbench.views.cli.main import main

FLAGS = {"allocators": "uniform", "seeds": "2", "budget_tokens": 9000, "num_intervals": 2}
COMMAND = ("run", "--suite", "multilingual", "--allocators", "uniform", "--seeds", "2", "--budget", "9000", "--intervals", "2")
FINGERPRINT = {"measured": "0" * 32, "torch": "2.13", "cpu": "AVX2"}


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has begun."""
    monkeypatch.setattr("readbench.base.machine.code_hash", lambda: "0" * 32)  # the code may be edited while its tests run
    resolved = resolve("multilingual", environment={}, flags=FLAGS)
    planned = plan(resolved)
    with opened(tmp_path / "run", resolved, trials=planned.trials, provenance=planned.provenance) as run:
        check_fingerprint(tmp_path / "run", run, FINGERPRINT, allow_drift=False, warn=print)
        (tmp_path / "run" / "trials").mkdir()
    return tmp_path / "run"


@pytest.fixture
def refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls a command that must fail in one line, with nothing changed."""

    def call(code: int, *arguments: str) -> str:
        before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
        assert main([*arguments]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
        return captured.err

    return call


def test_a_changed_config_is_refused_with_what_it_was_and_is(refused: Callable[..., str], run_dir: Path) -> None:
    line = refused(2, *COMMAND, "--out", str(run_dir), "--set", "training.learning_rate=0.25", "--set", "num_dev=7")
    assert "num_dev was 40, is now 7" in line
    assert "training.learning_rate was 0.001, is now 0.25" in line


def test_other_code_is_refused(refused: Callable[..., str], run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.base.machine.code_hash", lambda: "1" * 32)
    line = refused(2, "resume", str(run_dir))
    assert f"{run_dir} was begun by readbench {version('readbench')} (code 00000000), this is" in line
    assert "(code 11111111): its trials would not be the same; resume it with that version" in line
    assert line == refused(2, *COMMAND, "--out", str(run_dir))


def test_a_run_directory_of_another_version_is_refused(refused: Callable[..., str], run_dir: Path) -> None:
    document = json.loads((run_dir / "run.json").read_text())
    (run_dir / "run.json").write_text(json.dumps(document | {"schema": 2}))
    assert "run.json is not of schema 1; it was made by another version of readbench" in refused(2, "resume", str(run_dir))


def test_a_run_that_another_process_holds_is_refused_with_its_id(refused: Callable[..., str], run_dir: Path) -> None:
    with files.locked(run_dir / "lock", "the run"):
        for command in (("resume", str(run_dir)), (*COMMAND, "--out", str(run_dir))):
            line = refused(5, *command)
            assert f"the run in {run_dir} is running in process {os.getpid()} on {os.uname().nodename}; wait for it or stop it" in line


def test_another_machine_s_bits_are_refused_or_marked(run_dir: Path) -> None:
    run, said = read_run(run_dir), []
    other = FINGERPRINT | {"cpu": "AVX512", "measured": "1" * 32}
    relabelled = FINGERPRINT | {"processor": "renamed"}
    check_fingerprint(run_dir, run, FINGERPRINT, allow_drift=False, warn=said.append)
    before = (run_dir / "fingerprint.json").read_bytes()
    check_fingerprint(run_dir, run, relabelled, allow_drift=False, warn=said.append)  # other labels, the same bits
    with pytest.raises(ConfigError, match="every label agrees"):
        check_fingerprint(run_dir, run, FINGERPRINT | {"measured": "1" * 32}, allow_drift=False, warn=said.append)
    with pytest.raises(ConfigError, match=r"other bits are computed \(cpu 'AVX2', now 'AVX512'\); .*--allow-drift"):
        check_fingerprint(run_dir, run, other, allow_drift=False, warn=said.append)
    assert (run_dir / "fingerprint.json").read_bytes() == before
    assert said == []
    for _ in range(2):
        check_fingerprint(run_dir, run, other, allow_drift=True, warn=said.append)
    check_fingerprint(run_dir, run, other, allow_drift=False, warn=said.append)  # marked: it may go on here
    assert said == ["the run was begun where other bits are computed (cpu 'AVX2', now 'AVX512'): its results are marked"]
    assert gather(run_dir).environment["fingerprint"] == FINGERPRINT
    assert gather(run_dir).environment["drift"] == [other]


def test_a_fingerprint_that_is_missing_after_the_first_trial_is_named(refused: Callable[..., str], run_dir: Path) -> None:
    (run_dir / "fingerprint.json").unlink()
    assert "fingerprint.json is missing" in refused(2, "results", str(run_dir))


def test_what_a_process_left_that_was_killed_at_its_first_step_is_taken_for_a_new_directory(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4711 on elsewhere\n")
    (tmp_path / ".run.json.4711.tmp").write_text("{")
    resolved = resolve("multilingual", environment={}, flags=FLAGS)
    planned = plan(resolved)
    with opened(tmp_path, resolved, trials=planned.trials, provenance=planned.provenance):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "run.json"]


def test_a_mistake_before_the_first_trial_leaves_no_directory(tmp_path: Path) -> None:
    resolved = resolve("multilingual", environment={}, flags=FLAGS)
    planned = plan(resolved)
    options: dict[str, Any] = {"trials": planned.trials, "provenance": planned.provenance}
    with pytest.raises(ConfigError, match="no"), opened(tmp_path / "run", resolved, **options):
        raise ConfigError("no")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody, for whom the directory is read-only")
def test_a_read_only_run_directory_costs_one_line(run_dir: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom readbench.trials.record.store import TrialStore\n"
        "from readbench.base.errors import SurroundingError\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        "try:\n    with TrialStore.open(Path('run/trials/id'), 'id', {}): pass\n"
        "except SurroundingError as error:\n    sys.exit(f'{error}')\n"
    )
    os.chmod(run_dir.parent, 0o755)  # noqa: PTH101, S103 - nobody must get as far as the directory
    done = subprocess.run([sys.executable, "-c", code], cwd=run_dir.parent, capture_output=True, text=True, check=False)
    assert done.stderr == "cannot write run/trials/id: Permission denied; free some space or choose another --out\n"
