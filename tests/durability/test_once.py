"""P10: no trial is lost or counted twice."""

import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.base.files import sealed, write_json
from readbench.results.document import building
from readbench.results.document.reading import load
from readbench.runs.config import resolve
from readbench.runs.directory import check_fingerprint, opened
from readbench.runs.plan import plan
from readbench.students.schedule import TrainingConfig
from readbench.trials.record.run_files import START, write_part
from readbench.trials.record.store import TrialState, TrialStore
from readbench.trials.spec import TrialSpec, trial_id

FLAGS = {"allocators": "uniform,random", "seeds": "2", "budget_tokens": 9000, "num_intervals": 2}


@pytest.fixture(scope="module")
def specs() -> tuple[TrialSpec, ...]:
    return plan(resolve("multilingual", environment={}, flags=FLAGS)).trials


def test_every_setting_of_a_trial_is_in_its_id(specs: tuple[TrialSpec, ...]) -> None:
    changed: dict[str, Any] = {"training": TrainingConfig(learning_rate=0.123)}
    ids = {specs[0].id}
    for field in dataclasses.fields(TrialSpec):
        value = getattr(specs[0], field.name)
        other = changed.get(field.name) or (
            value + 1 if isinstance(value, int) else {"x": 1} if isinstance(value, dict) else f"{value}-other"
        )
        ids.add(dataclasses.replace(specs[0], **{field.name: other}).id)
    assert len(ids) == 1 + len(dataclasses.fields(TrialSpec))


def test_the_trials_of_a_grid_have_ids_of_their_own(specs: tuple[TrialSpec, ...]) -> None:
    assert len({spec.id for spec in specs}) == 4
    assert all(trial_id(spec.document()) == spec.id for spec in specs)


def run_of(run_dir: Path, specs: tuple[TrialSpec, ...], intervals: int) -> None:
    """A run directory whose trials say that they are complete."""
    resolved = resolve("multilingual", environment={}, flags=FLAGS)
    planned = plan(resolved)
    with opened(run_dir, resolved, trials=planned.trials, provenance=planned.provenance) as run:
        check_fingerprint(run_dir, run, {"torch": "1"}, allow_drift=False, warn=print)
        for spec in specs:
            with TrialStore.open(run_dir / "trials" / spec.id, spec.id, spec.document()) as store:
                store.begin({"dev_utility": 0.0})
                for interval in range(intervals):
                    values: dict[str, Any] = dict.fromkeys(("allocator", "scheduler", "ledger", "checkpoint"), b"")
                    store.commit_interval({}, {}, [], TrialState(interval=interval, prompts=[], probe_scores=[], **values))
                store.finish({}, Path.exists)  # type: ignore[arg-type]
        write_part(run_dir, START, run, {"student": {}, "teacher": {"profile": None, "answers": None}})


def test_a_complete_trial_with_a_gap_is_refused(specs: tuple[TrialSpec, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_start", lambda *_: None)
    monkeypatch.setattr(building, "interval_of", lambda *_: None)
    run_of(tmp_path / "run", specs, intervals=1)  # of two
    with pytest.raises(ConfigError, match="is complete but lacks its start, its end or an interval"):
        building.gather(tmp_path / "run")


def test_an_interval_cannot_be_committed_twice_nor_left_out(tmp_path: Path) -> None:
    values: dict[str, Any] = dict.fromkeys(("allocator", "scheduler", "ledger", "checkpoint"), b"")
    with TrialStore.open(tmp_path / "id", "id", {}) as store:
        store.commit_interval({}, {}, [], TrialState(interval=0, prompts=[], probe_scores=[], **values))
        with pytest.raises(sqlite3.IntegrityError):
            store.commit_interval({}, {}, [], TrialState(interval=0, prompts=[], probe_scores=[], **values))
        store.commit_interval({}, {}, [], TrialState(interval=2, prompts=[], probe_scores=[], **values))
    with pytest.raises(ConfigError, match="does not match its digests"), TrialStore.open(tmp_path / "id", "id", {}):
        pass


def test_a_trial_in_another_trial_s_folder_is_refused(
    specs: tuple[TrialSpec, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_start", lambda *_: None)
    run_of(tmp_path / "run", specs[:1], intervals=0)
    trials = tmp_path / "run" / "trials"
    (trials / specs[0].id).rename(trials / specs[1].id)
    with pytest.raises(ConfigError, match=f"is of trial {specs[0].id}, not of {specs[1].id}"):
        building.gather(tmp_path / "run")


def test_results_with_a_trial_twice_or_with_one_left_out_are_refused(document: dict[str, Any], specs: Any, tmp_path: Path) -> None:
    run_of(tmp_path / "run", (), intervals=0)
    ours = [{**document["trials"][number], "id": spec.id} for number, spec in enumerate(specs)]
    for trials in ([*ours, ours[0]], ours[:-1], [ours[1], ours[0], *ours[2:]]):
        write_json(tmp_path / "run" / "results.json", sealed({**document, "trials": trials}))
        with pytest.raises(ConfigError, match=r"results\.json (belongs to another run|is damaged: trial .* appears twice)"):
            load(tmp_path / "run")
    write_json(tmp_path / "run" / "results.json", sealed({**document, "trials": ours}) | {"run": "other"})
    with pytest.raises(ConfigError, match="does not match its digest"):
        load(tmp_path / "run")
