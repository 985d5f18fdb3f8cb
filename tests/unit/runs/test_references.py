"""Where things are: paths from the root, and found again after a run directory has moved together with them."""

from pathlib import Path

import pytest

from readbench.runs.references import model_place, moved, suite_place, teacher_place
from readbench.trials.spec import placeless


def test_names_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reasoning").mkdir()  # a folder of a suite's name does not hide the suite
    assert suite_place("reasoning") == "reasoning"
    assert [model_place(name) for name in ("lab/student", "org/model")] == ["lab/student", "org/model"]
    assert [teacher_place(name) for name in ("lab/teacher", "openai:gpt/x")] == ["lab/teacher", "openai:gpt/x"]


def test_paths_begin_at_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own", "model", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "suite.yaml").touch()
    (tmp_path / "other.yaml").touch()
    assert {suite_place(name) for name in ("own", "own/suite.yaml", "./own/", "own/../own")} == {f"{tmp_path}/own"}
    assert suite_place("other.yaml") == f"{tmp_path}/other.yaml"
    assert {model_place(name) for name in ("model", "./model", "model/")} == {f"{tmp_path}/model"}
    assert teacher_place("model") == f"{tmp_path}/model"
    assert teacher_place("recorded:run") == f"recorded:{tmp_path}/run"


def test_a_trial_knows_the_name_of_a_folder_and_not_where_it_is() -> None:
    assert [placeless(name) for name in ("/data/own", "recorded:/data/run", "lab/student", "openai:a/b")] == [
        "own",
        "recorded:run",
        "lab/student",
        "openai:a/b",
    ]


def test_what_moved_together_with_the_run_directory_is_found_from_there(tmp_path: Path) -> None:
    then, now = tmp_path / "then", tmp_path / "now"
    (now / "inputs" / "own").mkdir(parents=True)
    (now / "runs" / "a").mkdir(parents=True)
    assert moved(f"{then}/inputs/own", then / "runs" / "a", now / "runs" / "a") == f"{now}/inputs/own"
    assert moved(f"recorded:{then}/inputs/own", then / "runs" / "a", now / "runs" / "a") == f"recorded:{now}/inputs/own"
    assert moved(f"{then}/inputs/gone", then / "runs" / "a", now / "runs" / "a") == f"{then}/inputs/gone"
    assert moved(f"{now}/inputs/own", then / "runs" / "a", now / "runs" / "a") == f"{now}/inputs/own"
    assert moved("lab/student", then, now) == "lab/student"
