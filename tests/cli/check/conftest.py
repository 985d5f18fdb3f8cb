"""A baseline of the small results document, and changed documents to hold against it."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Check = Callable[..., Any]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pyproject.toml above, and not on GitHub even where the tests are."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check(readbench: Callable[..., Any], document: dict[str, Any], tmp_path: Path) -> Check:
    """Checks a results document against the baseline of the unchanged one."""
    (tmp_path / "first.json").write_text(json.dumps(document))
    assert readbench("check", "first.json", "--baseline", "baseline.json", "--update").code == 0

    def call(run: dict[str, Any], *arguments: object) -> Any:
        (tmp_path / "results.json").write_text(json.dumps(run))
        return readbench("check", "results.json", "--baseline", "baseline.json", *arguments)

    return call


@pytest.fixture
def worse(document: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Makes documents in which the utility of `read` is lower, seed by seed."""

    def lowered(*drops: float) -> dict[str, Any]:
        changed = copy.deepcopy(document)
        for trial in changed["trials"]:
            if trial["allocator"] == "read" and trial["seed"] < len(drops):
                trial["metrics"]["utility"] -= drops[trial["seed"]]
        return changed

    return lowered


@pytest.fixture
def with_seeds() -> Callable[..., dict[str, Any]]:
    """Leaves only these seeds of a document."""

    def narrowed(document: dict[str, Any], *seeds: int) -> dict[str, Any]:
        changed = copy.deepcopy(document)
        changed["trials"] = [trial for trial in changed["trials"] if trial["seed"] in seeds]
        changed["config"]["seeds"] = list(seeds)
        return changed

    return narrowed
