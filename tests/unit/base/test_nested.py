import pytest

from readbench.base.errors import ConfigError
from readbench.base.nested import flatten, nest


def test_nested_settings_come_by_dotted_key_in_order() -> None:
    assert list(flatten({"b": {"y": 1, "x": {"z": [2]}}, "a": 3})) == [("b.y", 1), ("b.x.z", [2]), ("a", 3)]


def test_a_group_without_entries_has_no_value() -> None:
    assert list(flatten({"a": {}, "b": None})) == [("b", None)]


def test_nesting_is_the_way_back() -> None:
    document = {"b": {"y": 1, "x": {"z": [2]}}, "a": 3}
    assert nest((key.split("."), value) for key, value in flatten(document)) == document


def test_a_key_is_a_value_or_a_group_never_both() -> None:
    with pytest.raises(ConfigError, match=r"setting 'a[.]b': 'a' is a value"):
        nest([(["a"], 1), (["a", "b"], 2)])
