"""Reads function calls out of a free text: JSON in its usual shapes, or Python call syntax. Nothing is evaluated but literals."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from readbench.suites.verifiers._final import bounded

_MAX_CALLS = 64
_MAX_PYTHON = 10_000  # characters
_TAGGED = re.compile(r"<(tool_call|function_call|functioncall)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```[\w+-]*\n(.*?)(?:```|\Z)", re.DOTALL)
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a function by name."""

    name: str
    arguments: dict[str, Any]


def read_calls(text: str) -> list[Call]:
    """The calls in the text, in order: in tool tags if there are any, else in fences, else anywhere; [] if there are none."""
    text = bounded(text)
    for parts in ([found[1] for found in _TAGGED.findall(text)], _FENCED.findall(text), [text]):
        calls = [call for part in parts for call in _calls_in(part.strip())]
        if calls:
            return calls[: _MAX_CALLS + 1]
    return []


def _calls_in(text: str) -> list[Call]:
    return list(_json_calls(text)) or _python_calls(text)


def _json_calls(text: str) -> Iterator[Call]:
    """The calls of every JSON value in the text; what is no JSON is skipped."""
    position, tries = 0, 0
    while tries < _MAX_CALLS * 4 and (match := re.compile(r"[\[{]").search(text, position)):
        tries += 1
        try:
            value, position = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.start() + 1
            continue
        yield from calls_of(value)


def calls_of(value: Any, depth: int = 0) -> Iterator[Call]:
    """The calls in a JSON value of one of the shapes that models and APIs use."""
    if depth > 3:
        return
    if isinstance(value, list):
        for each in value[: _MAX_CALLS + 1]:
            yield from calls_of(each, depth + 1)
    elif isinstance(value, dict):
        inner = value.get("tool_calls", value.get("function"))
        name = value.get("name")
        given = next((value[key] for key in ("arguments", "parameters", "args") if key in value), None)
        if isinstance(inner, (dict, list)):
            yield from calls_of(inner, depth + 1)
        elif isinstance(name, str):
            arguments = _object({} if given is None else given)
            if arguments is not None:
                yield Call(name=name, arguments=arguments)
        elif len(value) == 1:
            ((name, arguments),) = value.items()
            if isinstance(arguments, dict):
                yield Call(name=name, arguments=arguments)


def _object(value: Any) -> dict[str, Any] | None:
    """An object, or the text of one (the APIs send arguments as text)."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _python_calls(text: str) -> list[Call]:
    """``f(a=1)``, ``[f(a=1), g(b="x")]``, or calls on lines of their own."""
    if len(text) > _MAX_PYTHON or "(" not in text:
        return []
    for source in (text, *(line.strip() for line in reversed(text.splitlines()) if "(" in line)):
        try:
            nodes = ast.parse(source).body
            found = [call for node in nodes if isinstance(node, ast.Expr) for call in _of_node(node.value)]
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            continue
        if found:
            return found
    return []


def _of_node(node: ast.expr) -> list[Call]:
    if isinstance(node, (ast.List, ast.Tuple)):
        return [call for each in node.elts for call in _of_node(each)]
    if not isinstance(node, ast.Call) or node.args or any(keyword.arg is None for keyword in node.keywords):
        return []
    if not isinstance(node.func, (ast.Name, ast.Attribute)):
        return []
    return [Call(name=ast.unparse(node.func), arguments={str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords})]
