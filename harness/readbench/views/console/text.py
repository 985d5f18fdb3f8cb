"""Text for a terminal: what others wrote is shown, never obeyed.

Names, error messages and model answers may hold control characters (colours, cursor moves, reversed writing) or rich
markup. Control characters are shown as their escapes, and every text reaches rich as `Text`, which is not parsed.
"""

import json
import sys
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough for every table of ours: a file or a pipe has no edge at which to fold.
UNBOUNDED_COLUMNS = 200


def printable(text: object) -> str:
    r"""The text in one line, with everything that a terminal would obey or hide shown as its escape (``\x1b``)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def shortened(text: str, length: int = 2000) -> str:
    """The text, or its two ends where it is longer: a message may quote what somebody else wrote, and end with the hint."""
    return text if len(text) <= length else f"{text[: length - 400]} … {text[-390:]}"


def cell(text: object, style: str = "") -> Text:
    """A table's cell that rich does not parse."""
    return Text(printable(text), style=style)


def new_table() -> Table:
    """An empty table in the one style of all our tables: bold headings over a line, no edges."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def console_for(stream: IO[str]) -> Console:
    """A console on the stream: no markup, no highlighting; rich itself honours NO_COLOR and knows a terminal."""
    width = None if stream.isatty() else UNBOUNDED_COLUMNS
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)


def write_line(text: str, *, stream: IO[str] | None = None) -> None:
    """One printable line, on standard error where no stream is given."""
    target = sys.stderr if stream is None else stream
    target.write(printable(text) + "\n")
    target.flush()


def write_json(document: Any) -> None:
    """A JSON document on standard output: sorted keys, no NaN, ASCII (a terminal obeys none of it)."""
    sys.stdout.write(json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")


def tokens_text(tokens: float) -> str:
    """``119,912`` below a million, ``3.00M`` above."""
    return f"{tokens / 1e6:.2f}M" if tokens >= 1e6 else f"{tokens:,.0f}"


def duration_text(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
