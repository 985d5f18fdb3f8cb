"""The setting `trackers`: its layers, its mistakes, and that it is no part of what a run is."""

from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError, SurroundingError
from readbench.runs.config import Resolved, resolve
from readbench.views.cli.session import carry_out


def resolved(names: str | None = None, **environment: str) -> Resolved:
    flags: dict[str, Any] = {"budget_tokens": 5_000, "num_intervals": 3} | ({} if names is None else {"trackers": names})
    return resolve("reasoning", environment=environment, flags=flags)


def test_no_tracker_is_told_unless_asked_for() -> None:
    assert resolved().config.trackers == ()


def test_names_come_from_the_flag_and_the_environment() -> None:
    assert resolved("mlflow, wandb").config.trackers == ("mlflow", "wandb")
    assert resolved(READBENCH_TRACKERS="tensorboard").config.trackers == ("tensorboard",)
    assert resolved("", READBENCH_TRACKERS="tensorboard").config.trackers == ()


def test_a_tracker_changes_nothing_of_what_the_run_is() -> None:
    assert resolved("mlflow").hash() == resolved().hash()
    assert "trackers" not in resolved("mlflow").identity()


@pytest.mark.parametrize(("names", "said"), [("mlfow", "did you mean 'mlflow'"), ("wandb,wandb", "wandb is given twice")])
def test_a_wrong_name_is_a_mistake_in_one_line(names: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolved(names)


def test_a_missing_library_stops_the_run_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.views.trackers.tracking.find_spec", lambda _: None)
    with pytest.raises(SurroundingError, match="tracker 'wandb' needs wandb"):
        carry_out(tmp_path / "run", resolved("wandb"), observe=lambda _: None)
    assert list(tmp_path.iterdir()) == []
