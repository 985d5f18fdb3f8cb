"""Tokens counted on this side of the wire."""

from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.models.folder import load_tokenizer, resolve_model, resolve_tokenizer
from readbench.teachers.endpoint.counting import open_counter, tokenizer_hash

LAB = resolve_model("lab/teacher")  # a token is a byte


def test_a_text_is_counted_and_cut_in_whole_tokens() -> None:
    counter = open_counter(LAB)
    assert (counter.count(""), counter.count("héllo")) == (0, 6)
    assert counter.cut("hello", 5) is None
    assert counter.cut("hello", 3) == "hel"


def test_a_tokenizer_without_tokenizer_json_counts_through_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.teachers.endpoint.counting.load_tokenizer", lambda _: load_tokenizer(LAB))
    counter = open_counter(tmp_path)
    assert counter.count("héllo") == 6
    assert counter.cut("hello", 3) == "hel"


def test_a_damaged_tokenizer_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match=r"tokenizer\.json cannot be read"):
        open_counter(tmp_path)


def test_of_a_hub_id_only_the_tokenizer_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def download(hub_id: str, *, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        asked.extend([hub_id, *allow_patterns])
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve_tokenizer("org/large") == tmp_path
    assert asked[0] == "org/large"
    assert not [pattern for pattern in asked if "safetensors" in pattern or pattern.startswith("*")]
    assert resolve_tokenizer("lab/teacher") == LAB


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((LAB / "tokenizer.json").read_bytes())
    assert tokenizer_hash(str(tmp_path)) == tokenizer_hash("lab/teacher")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    assert tokenizer_hash(str(tmp_path)) != tokenizer_hash("lab/teacher")
