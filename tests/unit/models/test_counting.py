"""A text's tokens, counted with a fast tokenizer or a slow one."""

from pathlib import Path

import pytest

from readbench.base.errors import ConfigError
from readbench.models.counting import open_counter
from readbench.models.folder import load_tokenizer, resolve_model

LAB = resolve_model("lab/teacher")  # a token is a byte


def test_a_text_is_counted_and_cut_in_whole_tokens() -> None:
    counter = open_counter(LAB)
    assert (counter.count(""), counter.count("héllo")) == (0, 6)
    assert counter.cut("hello", 5) is None
    assert counter.cut("hello", 3) == "hel"


def test_a_tokenizer_without_tokenizer_json_counts_through_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.models.counting.load_tokenizer", lambda _: load_tokenizer(LAB))
    counter = open_counter(tmp_path)
    assert counter.count("héllo") == 6
    assert counter.cut("hello", 3) == "hel"


def test_a_damaged_tokenizer_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match=r"tokenizer\.json cannot be read"):
        open_counter(tmp_path)
