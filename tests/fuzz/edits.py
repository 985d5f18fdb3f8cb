"""Structure-aware mutation: bytes choose a few edits of a sound JSON document, so that what comes out is nearly sound.

Random bytes never get past a schema; a sound document with one key gone, one list doubled or one number of 400 digits does,
and that is what reaches the code behind it.
"""

import copy
import math
from collections.abc import Iterator
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    0.5,
    2**31,
    2**53,
    2**53 + 2,
    2**64,
    10**400,
    -(10**400),
    1e308,
    -1e308,
    5e-324,
    math.nan,
    math.inf,
    "",
    " ",
    "utility",
    "read",
    "\x1b[31m\x07",
    "\u202eevil\u2066",
    "\ud800",
    "a" * 5000,
    "../../x",
    "/etc/passwd",
    "x\0y",
    "a\nb",
    "[bold]x[/bold]",
    "$x^2$",
    "=1+1",
    "<script>",
    "😀",
    [],
    {},
    [[]],
    [None],
    [1, "a"],
    {"": ""},
    {"a": {"b": {"c": [1]}}},
)
MOST_EDITS = 4


class Bytes:
    """The bytes as a stream of choices; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        """A number in 0..count-1."""
        width = 1 if count <= 256 else 2
        chunk = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(chunk, "little") % count

    def rest(self) -> bytes:
        """What no choice has used."""
        return self._data[self._at :]


def edited(document: Any, data: bytes) -> Any:
    """A copy of the document with up to 4 edits that the bytes choose; no bytes, no edit."""
    result = copy.deepcopy(document)
    choices = Bytes(data)
    for _ in range(choices.below(MOST_EDITS + 1)):
        places = list(_places(result))
        if not places:
            return result
        holder, key = places[choices.below(len(places))]
        _edit(holder, key, choices)
    return result


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(child)


def _edit(holder: Any, key: Any, choices: Bytes) -> None:
    operation = choices.below(8)
    if operation == 0:
        del holder[key]
    elif operation == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif operation == 1:
        holder[str(HOSTILE[choices.below(len(HOSTILE))])[:200]] = holder.pop(key)
    elif operation == 2 and isinstance(holder, dict):
        holder[str(HOSTILE[choices.below(len(HOSTILE))])[:200]] = copy.deepcopy(holder[key])
    elif operation == 3 and isinstance(holder[key], (int, float)):
        holder[key] = holder[key] * (-1, 0, 0.5, 2, 10, 1e6, 1e300, 1e-300)[choices.below(8)]
    elif operation == 4 and isinstance(holder[key], list):
        holder[key] = holder[key] * 3
    elif operation == 5 and isinstance(holder[key], (list, dict)):
        holder[key] = type(holder[key])()
    else:
        holder[key] = copy.deepcopy(HOSTILE[choices.below(len(HOSTILE))])
