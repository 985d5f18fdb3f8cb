"""No command shows or writes a secret that it finds in the environment, whether it does its work or fails, with --debug or without."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.views.cli.main import main

CANARY = "sk-canary-0fe2c1"
VARIABLES = (
    "ANTHROPIC_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_OPENAI_API_KEY",
    "GITHUB_TOKEN",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "OPENAI_API_KEY",
    "TEACHER_API_KEY",
    "WANDB_API_KEY",
)
SECRETS = {name: f"{CANARY}-{name}" for name in VARIABLES}
RUN = ["run", "--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "4000", "--intervals", "2"]
SMALL = ["--set", "num_probes=9", "--set", "num_dev=9"]

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run directory and all that was printed while it was made, by processes that had the secrets."""
    out = tmp_path_factory.mktemp("canary") / "run"
    command = [sys.executable, "-m", "readbench", *RUN, *SMALL, "--workers", "1", "--out", str(out)]
    done = subprocess.run(command, env=os.environ | SECRETS, capture_output=True, text=True, check=False, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    return out, done.stdout + done.stderr


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command with the secrets in the environment; nothing of them is in what it prints."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: object) -> tuple[int, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert CANARY not in captured.out + captured.err, arguments
        return code, captured.out + captured.err

    return call


def assert_clean(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path


def test_a_run_leaves_no_secret_behind(finished: tuple[Path, str]) -> None:
    run_dir, printed = finished
    assert CANARY not in printed
    assert_clean(run_dir.parent)


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
def test_the_commands_that_read_a_run_show_no_secret(
    command: Command, finished: tuple[Path, str], tmp_path: Path, debug: tuple[str, ...]
) -> None:
    run_dir, _ = finished
    assert command("results", run_dir, "--json", "--csv", tmp_path / "csv", *debug)[0] == 0
    assert command("results", run_dir, "--parquet", tmp_path / "parquet", *debug)[0] == 0
    assert command("report", run_dir, "-o", tmp_path / "report.html", *debug)[0] == 0
    assert command("check", run_dir, "--baseline", tmp_path / "baseline.json", "--update", *debug)[0] == 0
    assert command("check", run_dir, "--baseline", tmp_path / "baseline.json", "--junit", tmp_path / "j.xml", *debug)[0] == 0
    assert command("compare", run_dir, *debug)[0] == 2  # one allocator alone
    assert command("list", "allocators", "--json", *debug)[0] == 0
    assert command("doctor", *debug)[0] in (0, 5)
    assert command(*RUN, *SMALL, "--dry-run", *debug)[0] == 0
    assert_clean(tmp_path)


WRONG_CONFIGS = {
    "key as a setting": f"openai_api_key: {CANARY}\n",
    "key as a parameter": f"teacher: 'openai:m'\nparams: {{openai: {{api_key: {CANARY}}}}}\n",
    "key for its variable": f"endpoint: {{key_env: {CANARY}}}\n",
    "key beside a mistake": f"endpoint: {{key_env: {CANARY}, concurrency: 0}}\n",
    "key in the address": f"teacher: 'openai:m'\nparams: {{openai: {{url: 'https://me:{CANARY}@host/v1'}}}}\n",
    "key in the query": f"teacher: 'openai:m'\nparams: {{openai: {{url: 'https://host/v1?key={CANARY}'}}}}\n",
    "damaged file": f"key: {CANARY}\nseeds: [\n",
    "damaged line": f"key: {CANARY}: [ {CANARY}\n",
    "tag": f"key: !{CANARY} x\n",
    "control character": f"key: {CANARY}\x01\n",
}


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
@pytest.mark.parametrize("text", WRONG_CONFIGS.values(), ids=WRONG_CONFIGS.keys())
def test_a_key_in_the_wrong_place_is_refused_without_showing_it(
    command: Command, tmp_path: Path, text: str, debug: tuple[str, ...]
) -> None:
    (tmp_path / "config.yaml").write_text(text)
    code, said = command(*RUN, "--config", tmp_path / "config.yaml", "--out", tmp_path / "run", *debug)
    assert code == 2
    assert "error: " in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
def test_a_key_in_a_setting_s_variable_is_refused_without_showing_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug: tuple[str, ...]
) -> None:
    for name in ("READBENCH_API_KEY", "READBENCH_ENDPOINT__KEY_ENV", "READBENCH_PARAMS__OPENAI__KEY"):
        with monkeypatch.context() as patch:
            patch.setenv(name, CANARY)
            assert command(*RUN, "--dry-run", *debug)[0] == 2


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
def test_commands_that_fail_show_no_secret(command: Command, finished: tuple[Path, str], tmp_path: Path, debug: tuple[str, ...]) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text('{"schema": 1}')
    damaged = json.loads((finished[0] / "results.json").read_text())
    del damaged["trials"][0]["metrics"]["utility"]
    (tmp_path / "damaged.json").write_text(json.dumps(damaged))
    failing: list[tuple[Any, ...]] = [
        ("resume", tmp_path / "broken"),
        ("results", tmp_path / "broken"),
        ("compare", tmp_path / "damaged.json"),
        ("report", tmp_path / "damaged.json"),
        ("check", tmp_path / "damaged.json", "--baseline", tmp_path / "none.json"),
        ("run", "--suite", "nothing"),
        ("run", "--suite", "multilingual", "--student", "nobody/nothing"),
        ("run", "--suite", "multilingual", "--device", "cuda:99"),
        (*RUN, "--teacher", "openai:m", "--teacher-url", "http://far.example/v1"),
        (*RUN, "--teacher", "openai:m", "--teacher-url", "http://127.0.0.1:9/v1", "--spend-limit", "5 USD"),
        ("frobnicate",),
    ]
    for arguments in failing:
        code, said = command(*arguments, *debug)
        assert code != 0, arguments
        assert "error: " in said
    assert_clean(tmp_path)
