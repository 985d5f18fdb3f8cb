from pathlib import Path

import pytest
from pydantic.dataclasses import dataclass

from readbench.base.documents import MAX_BYTES, STRICT, parse_yaml, read_json_lines, read_yaml, typed
from readbench.base.errors import ConfigError


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Inner:
    depth: int = 1


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Outer:
    inner: Inner
    names: tuple[str, ...] = ()


def test_a_yaml_bomb_is_refused_at_its_first_alias() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    with pytest.raises(ConfigError, match="aliases are not allowed"):
        parse_yaml(bomb, "suite.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "must be a mapping"),
        ("a: 1\na: 2", "appears twice"),
        ("1: a", "is not text"),
        ("a: !!python/object/apply:os.system ['true']", "tags are not allowed"),
        ("a: [", "not valid YAML"),
        ("a: " + "[" * 50 + "]" * 50, "nested deeper"),
    ],
)
def test_what_is_no_plain_mapping_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        parse_yaml(text, "suite.yaml")
    assert "\n" not in str(error.value)
    assert "suite.yaml" in str(error.value)


def test_a_file_that_is_too_large_or_not_text_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (large, binary, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError, match=path.name):
            read_yaml(path)


def test_unknown_keys_name_the_near_match_at_any_depth() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'inner[.]dept'; did you mean 'depth'"):
        typed(Outer, {"inner": {"dept": 1}}, "here")
    with pytest.raises(ConfigError, match=r"unknown setting 'nams'; did you mean 'names'"):
        typed(Outer, {"inner": {}, "nams": []}, "here")


@pytest.mark.parametrize("document", [{"inner": {"depth": "1"}}, {"inner": {"depth": True}}, {"inner": {"depth": 1.5}}, {}])
def test_a_wrong_type_is_never_converted(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^here: inner"):
        typed(Outer, document, "here")


def test_a_list_is_a_tuple_and_nan_is_refused() -> None:
    assert typed(Outer, {"inner": {}, "names": ["a"]}, "here").names == ("a",)
    with pytest.raises(ConfigError, match="not a finite number"):
        typed(Outer, {"inner": {"depth": float("nan")}}, "here")


def test_json_lines_name_the_line_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"prompt": "a"}\n\n[1]\n')
    with pytest.raises(ConfigError, match="line 3"):
        read_json_lines(path)
    path.write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="line 1"):
        read_json_lines(path)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5e-5", 5e-5), ("1e5", 100_000), ("1.5e5", 150_000), ("1E+3", 1000), ("-2e-1", -0.2), (".5e-2", 0.005), ("1.0e-3", 1e-3)],
)
def test_scientific_notation_is_a_number_in_yaml(text: str, number: float) -> None:
    value = parse_yaml(f"a: {text}", "here")["a"]
    assert value == number
    assert isinstance(value, type(number)), "a whole number may be given for an integer setting"


@pytest.mark.parametrize("text", ["e5", "1e5x", "5e", "'5e-5'"])
def test_text_that_looks_like_a_number_stays_text(text: str) -> None:
    assert isinstance(parse_yaml(f"a: {text}", "here")["a"], str)


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    lines, settings = tmp_path / "q.jsonl", tmp_path / "a.yaml"
    lines.write_text('{"prompt": "a"}\n', encoding="utf-8-sig")
    settings.write_text("a: 1\n", encoding="utf-8-sig")
    assert read_json_lines(lines) == [{"prompt": "a"}]
    assert read_yaml(settings) == {"a": 1}
