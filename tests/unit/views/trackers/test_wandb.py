"""Weights & Biases for real, offline: what it wrote to the run directory is read back with its own message types."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wandb")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")


def chunks(content: bytes) -> Iterator[bytes]:
    """The messages of a ``.wandb`` file: W&B's header, then LevelDB's log format (checksum, length, type; blocks of 32 KiB)."""
    assert content.startswith(b":W&B")
    place, message = 7, b""
    while place + 7 <= len(content):
        left_in_block = 32768 - place % 32768
        if left_in_block < 7:
            place += left_in_block
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        message += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield message
            message = b""


def records(folder: Path) -> list[Any]:
    """Every record of a folder's offline files, as W&B's own messages."""
    from wandb.proto import wandb_internal_pb2

    record: Any = vars(wandb_internal_pb2)["Record"]  # made at run time: type checkers do not see it

    return [record.FromString(chunk) for file in sorted(folder.rglob("*.wandb")) for chunk in chunks(file.read_bytes())]


def test_a_trial_is_written_offline_under_its_own_id(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from readbench.views.trackers.recorders.wandb import WandbRecorder

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    story.tell("wandb", WandbRecorder)
    key = json.loads((story.run.folder / "trackers" / "wandb.json").read_text())["key"]
    written = records(story.run.folder)
    runs = [record.run for record in written if record.HasField("run") and record.run.display_name == "read-s0"]
    assert {run.run_id for run in runs} == {f"{key}-{'a' * 16}"}  # the resumed run goes on in the same one
    assert {(run.project, run.run_group) for run in runs} == {("tiny", "a-run")}
    config = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
    assert config["allocator"] == "read"
    assert config["params.kappa"] == 0.5
    points = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in written
        if record.HasField("history")
    ]
    assert sorted((point["_step"], point["profile/math"]) for point in points) == [(1000, 0.25), (1000, 0.25), (2000, 0.5), (2000, 0.5)]
    everything = b"".join(path.read_bytes() for path in story.run.folder.rglob("*") if path.is_file())
    assert b"c" * 40 not in everything
