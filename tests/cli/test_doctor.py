"""`readbench doctor` and `readbench lab check`: what they say and how they end."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.views import doctor
from readbench.views.console.checkup import show_lab


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading models takes seconds and has a test of its own."""
    monkeypatch.setattr(doctor, "MODELS", ())
    monkeypatch.setattr(doctor, "_device", lambda: "CPU")


def test_doctor_finds_the_models_of_this_machine(readbench: Callable[..., Any]) -> None:
    outcome = readbench("doctor", "--json")
    assert outcome.code == 0
    checks = {check["name"]: check for check in outcome.json()["checks"]}
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert "parameters" in checks["lab/student"]["detail"]
    assert {"readbench", "extension", "torch", "device", "writable", "hub"} <= checks.keys()


@pytest.mark.usefixtures("no_models")
def test_broken_extension_ends_with_5_and_says_what_to_do(readbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ImportError("no [b]readbench._core[/b]\nlong story")

    monkeypatch.setattr(doctor, "_extension", broken)
    outcome = readbench("doctor")
    assert outcome.code == 5
    line = next(line for line in outcome.out.splitlines() if line.strip().startswith("extension"))
    assert " ".join(line.split()) == (
        "extension broken ImportError: no [b]readbench._core[/b]; reinstall readbench: pip install --force-reinstall readbench"
    )


@pytest.mark.usefixtures("no_models")
def test_missing_dependency_ends_with_5(readbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DEPENDENCIES", ("no-such-distribution",))
    outcome = readbench("doctor", "--json")
    assert outcome.code == 5
    (check,) = [check for check in outcome.json()["checks"] if check["status"] == "broken"]
    assert check == {
        "name": "no-such-distribution",
        "status": "broken",
        "detail": "not installed",
        "hint": "pip install no-such-distribution",
    }


def test_model_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise ConfigError("model folder x does not exist", hint="give a folder")

    monkeypatch.setattr(doctor, "MODELS", ("lab/teacher",))
    monkeypatch.setattr(doctor, "_model", missing)
    monkeypatch.setattr(doctor, "_device", lambda: "CPU")
    (check,) = [check for check in doctor.examine() if check.name == "lab/teacher"]
    assert (check.status, check.detail, check.hint) == ("broken", "model folder x does not exist", "give a folder")


@pytest.mark.usefixtures("no_models")
def test_folder_that_cannot_be_written_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("readbench.views.doctor.tempfile.TemporaryDirectory", full)
    (check,) = [check for check in doctor.examine() if check.name == "writable"]
    assert check.status == "broken"
    assert "No space left on device" in check.detail


ROW = {"capability": "math", "difficulty": "hard", "n": 100, "teacher": 0.99, "student": 0.25}


def test_lab_check_prints_a_row_per_capability_and_difficulty(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    show_lab([ROW], as_json=False)
    assert ["math", "hard", "100", "0.990", "0.250"] in [line.split() for line in stream.getvalue().splitlines()]


def test_lab_check_json_is_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    show_lab([ROW], as_json=True)
    assert json.loads(capsys.readouterr().out) == {"rows": [ROW]}
