"""What the template shows: tables, pictures and examples as plain values. All text in here is unescaped; the template escapes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A table's column; `note` says in a few words what it holds."""

    heading: str
    note: str = ""
    numeric: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is shown, what it is sorted by (None: last, whichever the order), and whether it is the best of its column."""

    text: str
    key: float | str | None
    best: bool = False
    spread: str = ""  # shown small below it: ± its standard deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The first cell of each row is its heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swatch:
    """An entry of a legend."""

    svg: Markup
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One SVG of a picture under its title (empty where the picture has only one)."""

    title: str
    svg: Markup
    note: str = ""
    best: bool = False
    wide: bool = False  # keeps its width and scrolls; shrunk, its names could not be read
    legend: tuple[Swatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A section with panels: what it is, how to read it, and its numbers as a table."""

    anchor: str
    heading: str
    reading: str  # one or two sentences
    panels: tuple[Panel, ...]
    numbers: Table
    legend: tuple[Swatch, ...] = ()
    axis: str = ""  # what the panels' axes are, where they share them
    beside: bool = False  # the numbers are open, next to a single panel
    note: str = ""  # a warning to the reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to an example's prompt; `right` is None if it is not judged."""

    who: str
    text: str
    note: str = ""
    right: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A prompt of one capability and the answers to it."""

    capability: str
    requirement: str
    prompt: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and its value: a headline figure, or a line of the provenance."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Facts under one heading."""

    heading: str
    facts: Sequence[Fact]
