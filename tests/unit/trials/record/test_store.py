import hashlib
import sqlite3
from pathlib import Path

import pytest

from readbench.base.errors import ConfigError, SurroundingError
from readbench.trials.record.store import TrialState, TrialStore
from readbench.trials.record.trial_file import read_trial

SPEC = {"allocator": "uniform", "seed": 0}


def state(interval: int, checkpoint: bytes = b"weights") -> TrialState:
    return TrialState(
        interval=interval,
        allocator=b"a",
        scheduler=b"s",
        ledger=b"l",
        prompts={"positions": [[interval]]},
        probe_scores=[[0.1, 1 / 3]],
        checkpoint=checkpoint,
    )


def test_what_was_committed_is_read_back_exactly(tmp_path: Path) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC) as store:
        assert store.start() is None
        assert store.state() is None
        store.begin({"profile": [0.1], "probe_scores": [[0.5]]})
        store.commit_interval({"charged": 7}, {"total": 1.0}, [(0, 1, 0, 2, 5)], state(0))
        store.commit_interval({"charged": 8}, {"total": 2.0}, [(0, 1, 1, 2, 6)], state(1, b"newer"))
    with TrialStore.open(tmp_path / "id", "id", SPEC) as store:
        assert store.start() == {"profile": [0.1], "probe_scores": [[0.5]]}
        assert store.state() == state(1, b"newer")
        assert [record["charged"] for record in store.intervals()] == [7, 8]
    record = read_trial(tmp_path / "id")
    assert record.status == "incomplete"
    assert record.spec == SPEC
    assert record.seconds == [{"total": 1.0}, {"total": 2.0}]


def test_only_the_checkpoint_that_a_row_names_is_kept(tmp_path: Path) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC) as store:
        store.commit_interval({}, {}, [], state(0, b"one"))
        store.commit_interval({}, {}, [], state(1, b"two"))
        assert len(list((tmp_path / "id" / "checkpoints").iterdir())) == 1
        assert store.state() == state(1, b"two")
        store.finish({"utility": 0.5}, lambda folder: (folder / "weights").write_bytes(b"two") and None)
        assert sorted(path.name for path in (tmp_path / "id").iterdir()) == ["lock", "student", "trial.sqlite"]
    digest = hashlib.blake2b(b"two", digest_size=16).hexdigest()
    assert read_trial(tmp_path / "id").final == {"utility": 0.5, "student": {"weights": digest}}


def test_an_interval_is_committed_whole_or_not_at_all(tmp_path: Path) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC) as store:
        store.commit_interval({}, {}, [(0, 1, 0, 2, 5)], state(0))
        with pytest.raises(sqlite3.IntegrityError):  # the same slot twice: an example counted twice
            store.commit_interval({}, {}, [(0, 1, 0, 2, 5)], state(1, b"other"))
        assert len(store.intervals()) == 1
        assert store.state() == state(0)


def test_a_trial_has_one_writer(tmp_path: Path) -> None:
    with (
        TrialStore.open(tmp_path / "id", "id", SPEC),
        pytest.raises(SurroundingError, match="trial id is running in process"),
        TrialStore.open(tmp_path / "id", "id", SPEC),
    ):
        pass


def test_a_folder_of_another_trial_is_refused(tmp_path: Path) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC):
        pass
    (tmp_path / "id").rename(tmp_path / "other")
    with pytest.raises(ConfigError, match="is of trial id, not of other"), TrialStore.open(tmp_path / "other", "other", SPEC):
        pass


def test_a_failed_trial_keeps_its_reason_until_it_is_tried_again(tmp_path: Path) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC) as store:
        store.fail("loss is not finite")
        assert store.status() == "failed"
        assert read_trial(tmp_path / "id").failure == "loss is not finite"
        store.retry()
    assert read_trial(tmp_path / "id").failure is None


@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\x00" + b"\x00" * 4000, b"no database at all" * 300])
def test_a_damaged_record_is_an_error_that_names_it(tmp_path: Path, damage: bytes) -> None:
    with TrialStore.open(tmp_path / "id", "id", SPEC):
        pass
    (tmp_path / "id" / "trial.sqlite").write_bytes(damage)
    with pytest.raises(ConfigError, match=r"trial.sqlite"):
        read_trial(tmp_path / "id")
    (tmp_path / "id" / "trial.sqlite").unlink()
    with pytest.raises(ConfigError, match="missing"):
        read_trial(tmp_path / "id")
