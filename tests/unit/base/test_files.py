import json
from pathlib import Path

import pytest

from readbench.base.errors import ConfigError, SurroundingError
from readbench.base.files import dump_json, publish, publish_folder, read_json, read_published, write_bytes


def test_equal_documents_are_equal_bytes_and_nan_is_refused() -> None:
    assert dump_json({"b": 1, "a": [0.1]}) == dump_json({"a": [0.1], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json({"a": float("nan")})


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "inside").touch()
    with pytest.raises(SurroundingError, match="cannot write"):
        write_bytes(target, b"new")  # a folder cannot be replaced by a file
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder"]


def test_published_content_is_found_by_its_hash_and_damage_is_named(tmp_path: Path) -> None:
    name = publish(tmp_path, b"weights", ".bin")
    assert publish(tmp_path, b"weights", ".bin") == name
    assert read_published(tmp_path, name) == b"weights"
    (tmp_path / name).write_bytes(b"weighty")
    with pytest.raises(ConfigError, match="damaged"):
        read_published(tmp_path, name)
    with pytest.raises(ConfigError, match="cannot read"):
        read_published(tmp_path, "0" * 32 + ".bin")


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    publish_folder(tmp_path / "student", lambda folder: (folder / "old").write_text("1") and None)
    publish_folder(tmp_path / "student", lambda folder: (folder / "new").write_text("2") and None)
    assert [p.name for p in (tmp_path / "student").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["student"]


def test_damaged_json_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"a": 1})[:-1])
    with pytest.raises(ConfigError, match=r"run.json"):
        read_json(path)
