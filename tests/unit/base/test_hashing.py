"""Content hashes: their bits are written into runs on disk, so they are compared with values that are written here."""

import hashlib
from pathlib import Path

import pytest

import readbench
from readbench.base.hashing import content_digest, content_hash, file_hash, json_hash, named_hash, parts_digest
from readbench.base.seeds import derive_seed


def test_the_bits_are_those_of_runs_on_disk() -> None:
    assert content_hash(b"abc") == "cf4ab791c62b8d2b2109c90275287816"
    assert content_hash(b"abc", size=8) == "d8bb14d833d59559"
    assert content_digest(b"abc").hex() == content_hash(b"abc")
    assert json_hash({"b": 1.5, "a": [1, None]}) == content_hash(b'{"a": [1, null], "b": 1.5}')
    assert parts_digest([b"a", b"bc"], prefix_bytes=8) == content_digest(b"\1" + bytes(7) + b"a\2" + bytes(7) + b"bc")
    assert named_hash([("x", b"ab"), ("y", b"")]) == content_hash(b"x\0" + b"2\0ab" + b"y\0" + b"0\0")
    assert derive_seed(7, "slot") == int.from_bytes(content_digest(b"\5\0\0\0int:7\x08\0\0\0str:slot", size=8), "little")


def test_parts_and_names_cannot_run_into_each_other() -> None:
    assert parts_digest([b"a", b"bc"], prefix_bytes=4) != parts_digest([b"ab", b"c"], prefix_bytes=4)
    assert named_hash([("a", b"bc")]) != named_hash([("ab", b"c")])
    assert json_hash({"a": 1, "b": 2}) == json_hash({"b": 2, "a": 1})


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 21) + 3])
def test_a_file_has_the_hash_of_its_content(size: int, tmp_path: Path) -> None:
    content = bytes(n % 251 for n in range(size))
    (tmp_path / "file").write_bytes(content)
    assert file_hash(tmp_path / "file") == content_hash(content) == hashlib.blake2b(content, digest_size=16).hexdigest()
    assert named_hash([("name", tmp_path / "file")]) == named_hash([("name", content)])


def test_no_other_module_spells_the_algorithm() -> None:
    root = Path(readbench.__file__).parent
    assert [file.name for file in root.rglob("*.py") if "blake2b" in file.read_text()] == ["hashing.py"]
