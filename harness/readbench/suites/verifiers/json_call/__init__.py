"""``json-call``: function calls, compared by name and by the value of each argument.

The reference is JSON: a call ``{"name": ..., "arguments": {...}}``, a list of them, or the possible answers of the Berkeley Function
Calling Leaderboard (https://gorilla.cs.berkeley.edu/leaderboard.html): ``[{"f": {"argument": [allowed, ...]}}]``, where an empty
text among the allowed values means that the argument may be left out.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import reference_of
from readbench.suites.verifiers.json_call._calls import Call, calls_of, read_calls

_IGNORED = re.compile(r"[ ,./\-_*^]")  # in texts, as the leaderboard does
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Expected:
    """A call and, for each argument, the allowed values."""

    name: str
    allowed: dict[str, list[Any]]
    nested: bool  # whether objects among the allowed values list allowed values in turn

    def accepts(self, call: Call) -> bool:
        """Whether it is this call."""
        return call.name == self.name and _fits(call.arguments, self.allowed, self.nested, 0)


class JsonCall:
    """Compares the calls in an answer with the reference's."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered

    def score(self, question: Question, answer: str) -> float:
        """1 if the answer makes just the reference's calls (in its order, if order matters), else 0."""
        expected, given = _expected(reference_of(question)), read_calls(answer)
        if len(given) != len(expected):
            return 0.0
        if self._ordered:
            return float(all(each.accepts(call) for each, call in zip(expected, given, strict=True)))
        return float(_can_pair([[n for n, call in enumerate(given) if each.accepts(call)] for each in expected]))


def _expected(reference: str) -> list[Expected]:
    try:
        document = json.loads(reference)
    except (ValueError, RecursionError):
        document = None
    calls = document if isinstance(document, list) else [document]
    expected = [each for call in calls if isinstance(call, dict) for each in _one(call)]
    if not expected or len(expected) != len(calls):
        raise ConfigError(f"verifier json-call needs calls in JSON as the right answer, not {reference!r:.60}")
    return expected


def _one(call: dict[str, Any]) -> list[Expected]:
    if "name" not in call and len(call) == 1:
        ((name, allowed),) = call.items()
        if isinstance(allowed, dict) and all(isinstance(values, list) for values in allowed.values()):
            return [Expected(name, allowed, nested=True)]
    return [Expected(each.name, {key: [value] for key, value in each.arguments.items()}, nested=False) for each in calls_of(call)]


def _fits(given: dict[str, Any], allowed: dict[str, list[Any]], nested: bool, depth: int) -> bool:
    """Whether every argument has an allowed value, none is unknown, and only those that may be left out are missing."""
    return given.keys() <= allowed.keys() and all(
        any(_equal(given[name], value, nested, depth + 1) for value in values) if name in given else nested and "" in values
        for name, values in allowed.items()
    )


def _equal(given: Any, allowed: Any, nested: bool, depth: int) -> bool:
    """Equality by value: 1 is 1.0 but not true; of texts, case, spaces and ,./-_*^ do not count."""
    match allowed:
        case _ if depth > _MAX_DEPTH:
            return False
        case dict():
            return isinstance(given, dict) and _equal_objects(given, allowed, nested, depth)
        case list() | tuple():
            listed = isinstance(given, (list, tuple)) and len(given) == len(allowed)
            return listed and all(_equal(each, value, nested, depth + 1) for each, value in zip(given, allowed, strict=True))
        case str():
            return isinstance(given, str) and _standard(given) == _standard(allowed)
        case bool() | None:
            return given is allowed
        case _:
            return isinstance(given, (int, float)) and not isinstance(given, bool) and bool(given == allowed)


def _equal_objects(given: dict[str, Any], allowed: dict[str, Any], nested: bool, depth: int) -> bool:
    if nested and all(isinstance(values, list) for values in allowed.values()):
        return _fits(given, allowed, nested, depth)
    return given.keys() == allowed.keys() and all(_equal(given[key], value, nested, depth + 1) for key, value in allowed.items())


def _standard(text: str) -> str:
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text).casefold()).replace("'", '"')


def _can_pair(choices: list[list[int]]) -> bool:
    """Whether every expected call can have a given one of its own (a perfect matching, by augmenting paths)."""
    taken: dict[int, int] = {}

    def place(call: int, seen: set[int]) -> bool:
        for choice in choices[call]:
            if choice not in seen:
                seen.add(choice)
                if choice not in taken or place(taken[choice], seen):
                    taken[choice] = call
                    return True
        return False

    return all(place(call, set()) for call in range(len(choices)))


@verifier("json-call")
def json_call(*, ordered: bool = False) -> Verifier:
    """Just the reference's function calls: names, arguments by value, and their order where it matters."""
    return JsonCall(ordered=ordered)
