"""Reads files that people write (YAML and JSON lines), bounded in size and without code, into typed dataclasses.

A document is small and has no tags and no aliases (nested aliases turn a few hundred bytes into gigabytes);
an unknown key or a value of the wrong type is an error that names the key.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from readbench.base.errors import ConfigError, near_match

# For every dataclass that a document is read into. A schema describes what is written, where every key is present.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True)
MAX_BYTES = 1 << 20
MAX_DEPTH = 12
MAX_INTEGER = 1 << 53  # all JSON readers agree on integers up to this (RFC 7493), and sums fit 64 bits
MAX_NUMBER = 1e15  # far above any setting or measurement; sums of squares of smaller numbers stay finite
MAX_JSON_DEPTH = 32
_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")  # pydantic's names for it, depending on the kind of class

Typed = TypeVar("Typed")


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """The file's text without a byte order mark (Windows editors write one); ConfigError if it is missing, too large or not UTF-8."""
    try:
        if path.stat().st_size > max_bytes:
            raise ConfigError(f"{path} is larger than {max_bytes} bytes", hint="is it the right file?")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML mapping with text keys; ConfigError if it is anything else, uses aliases or nests too deeply."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{where}: YAML aliases are not allowed{_line_of(event)}", hint="write the value out")
            if getattr(event, "tag", None) is not None:
                raise ConfigError(f"{where}: YAML tags are not allowed{_line_of(event)}", hint="leave the tag out")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels{_line_of(event)}")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
        document = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: a date or number that Python cannot hold
        raise ConfigError(f"{where} is not valid YAML: {_problem(error)}") from None  # does not quote the line: it may hold a key
    if not isinstance(document, dict):
        raise ConfigError(f"{where} must be a mapping of settings")
    check_values(document, where)
    return document


def _problem(error: Exception) -> str:
    """The problem and its line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    text = " ".join(str(problem or error).split())
    return text if mark is None else f"{text} (line {mark.line + 1})"


def _line_of(event: yaml.Event) -> str:
    return "" if event.start_mark is None else f" (line {event.start_mark.line + 1})"


class _UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, except that a repeated key is an error: the first value would be silently dropped."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} appears twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float:
    """A float, except ``1e5``, which becomes an integer: the schema accepts that both as a whole number and as a float."""
    value: float = loader.construct_yaml_float(node)
    exponent = "e" in node.value.lower()
    return int(value) if exponent and abs(value) <= MAX_INTEGER and value.is_integer() else value


# YAML 1.1 reads 5e-5 and 1.5e3 as text because it requires a point and a sign. Everyone else reads them as numbers.
_UniqueKeyLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))
_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:float", _number)


def read_yaml(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file."""
    return parse_yaml(read_text(path), str(path))


def read_json_lines(path: Path, *, max_bytes: int = 1 << 28) -> list[dict[str, Any]]:
    """One JSON object per line; ConfigError names the first line that is not one."""
    records = []
    for number, line in enumerate(read_text(path, max_bytes=max_bytes).split("\n"), start=1):  # a JSON text may hold U+2028
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}, line {number}, is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise ConfigError(f"{path}, line {number}, is not a JSON object")
        records.append(record)
    return records


def typed(schema: type[Typed], document: Mapping[str, Any], where: str, *, key_is: str = "setting") -> Typed:
    """The document as an instance of a (pydantic) dataclass; ConfigError names the first wrong key and why."""
    check_values(document, where)
    try:
        # Through JSON: its strict mode accepts a list for a tuple and an integer for a float, but not text for a number.
        return TypeAdapter(schema).validate_json(json.dumps(document, default=str))
    except ValidationError as error:  # not chained: its text quotes every value, and --debug would print it
        # unknown keys first: a misspelt setting is also a missing one, and the unknown key says more
        first = min(error.errors(include_url=False), key=lambda found: found["type"] not in _UNKNOWN_KEY)
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in _UNKNOWN_KEY:
            *parents, name = first["loc"]
            raise ConfigError(f"{where}: unknown {key_is} {key!r}", hint=near_match(str(name), _fields_at(schema, parents))) from None
        message = _said(first)
        whole = first["type"] in ("missing", "missing_argument") or isinstance(first["input"], (dict, list))
        shown = "" if whole else f" (it is {first['input']!r:.80})"  # for a group show only the key: a value in it may be secret
        raise ConfigError(f"{where}: {key}: {message}{shown}" if key else f"{where}: {message}") from None


def _said(error: Any) -> str:
    """The problem in words, without Python's types."""
    if error["type"] in ("too_short", "too_long"):
        bound = error["ctx"]["min_length"] if error["type"] == "too_short" else error["ctx"]["max_length"]
        return f"{'fewer' if error['type'] == 'too_short' else 'more'} than {bound}"
    message: str = error["msg"][0].lower() + error["msg"][1:]
    return message


def _fields_at(schema: Any, loc: Sequence[int | str]) -> list[str]:
    """The names that the schema knows at this place: what an unknown key may have meant."""
    for part in loc:
        fields = getattr(schema, "__dataclass_fields__", {})
        if part in fields:
            schema = fields[part].type
        else:  # an entry of a mapping: its value type
            arguments = getattr(schema, "__args__", ())
            schema = arguments[-1] if arguments else None
    return list(getattr(schema, "__dataclass_fields__", {}))


def check_values(value: Any, where: str, *, depth: int = 0) -> None:
    """ConfigError for what only Python accepts as JSON: NaN, unbounded numbers, half a surrogate pair, endless nesting."""
    if depth > MAX_JSON_DEPTH:
        raise ConfigError(f"{where}: nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ConfigError(f"{where}: {value!a:.80} is not valid Unicode")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ConfigError(f"{where}: an integer is larger than {MAX_INTEGER}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where}: {value} is not a finite number")
        if abs(value) > MAX_NUMBER:
            raise ConfigError(f"{where}: {value} is larger than {MAX_NUMBER:g}")
    elif isinstance(value, (Mapping, list, tuple)):
        children = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
        for child in children:
            check_values(child, where, depth=depth + 1)
