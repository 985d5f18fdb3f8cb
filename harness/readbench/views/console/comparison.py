"""`readbench compare` for people: three tables, one a family of tests, and lines for what a reader must not overlook."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from readbench.results.comparison import Comparison, Row
from readbench.suites.metric_names import PROFILE, Family
from readbench.views.console.text import cell, new_table

_HEADINGS: dict[Family, str] = {
    "primary": "utility at full budget: the one test of each {by}, not adjusted",
    "capability": "capabilities: profile after training; p adjusted over the capabilities of each {by} (Holm; max-T sign flips)",
    "exploratory": "exploratory: not adjusted, a hint and no evidence",
}
_WIDTH = 132  # of a terminal that shows every column
_NARROW = (0, 1, 2, 4, 5, 7, 10)  # what the others show
_COLUMNS = ("metric", "{by}", "mean", "reference", "difference", "95 % interval", "p", "p adjusted", "p flips", "d_z", "W/L/T", "MDE")


def heading(comparison: Comparison, family: Family) -> str:
    """Of a family's table."""
    return _HEADINGS[family].format(by=comparison.by)


def columns(comparison: Comparison) -> tuple[str, ...]:
    """The columns of every table."""
    return tuple(column.format(by=comparison.by) for column in _COLUMNS)


def cells(row: Row) -> tuple[str, ...]:
    """A row's values as text, in the order of `columns`; an en dash for a missing value."""
    flips = row.p_max_t if row.family == "capability" else row.p_sign_flip
    return (
        row.metric.removeprefix(PROFILE),
        row.candidate,
        _number(row.mean_candidate),
        _number(row.mean_reference),
        _number(row.mean_difference, signed=True) + {True: " better", False: " worse", None: ""}[row.better],
        "–" if row.ci_low is None else f"{_number(row.ci_low, signed=True)} to {_number(row.ci_high, signed=True)}",
        _p_value(row, row.p_value),
        "" if row.family == "exploratory" else _p_value(row, row.p_adjusted),
        _p_value(row, flips),
        "–" if row.effect_size is None else f"{row.effect_size:+.1f}",
        f"{row.wins}/{row.losses}/{row.ties}",
        _number(row.mde),
    )


def by_family(rows: Sequence[Row]) -> dict[Family, list[Row]]:
    """The rows of each family, a metric's candidates side by side."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    return {
        family: sorted((row for row in rows if row.family == family), key=lambda row: metrics.index(row.metric)) for family in _HEADINGS
    }


def notes(comparison: Comparison) -> list[str]:
    """The notes below the tables: how to read them, seeds that are missing, runs that differ."""
    rows = comparison.rows
    seeds = ", ".join(map(str, sorted({seed for row in rows for seed in row.seeds})))
    lines = [
        f"differences are {comparison.by} − {comparison.reference}, paired by seed ({seeds}); better and worse are said where the interval "
        "leaves out 0, of a capability where its adjusted p is at most .05 as well, of an exploratory metric never",
        "MDE: the smallest true difference that this many seeds with this spread find with 80 % power",
    ]
    if any(row.p_value is None and row.n >= 3 for row in rows):
        lines.append("=: every seed differs by the same amount: compared exactly, not tested")
    lines += missing_seeds(comparison)
    lines += [f"the runs differ: {difference}" for difference in comparison.mismatches]
    return lines


def missing_seeds(comparison: Comparison) -> list[str]:
    """One line for each pair that lacks seeds in its primary endpoint."""
    return [
        f"{row.candidate} against {row.reference}: no pair for seed {', '.join(map(str, row.missing_seeds))}; {row.n} pairs are left"
        for row in comparison.rows
        if row.family == "primary" and row.missing_seeds
    ]


def print_comparison(console: Console, comparison: Comparison, *, title: str) -> None:
    """The tables and the notes."""
    narrow = console.width < _WIDTH
    console.print(cell(title, "bold"), soft_wrap=True)
    for family, rows in by_family(comparison.rows).items():
        console.print()
        console.print(cell(heading(comparison, family)), soft_wrap=True)
        console.print(_table(rows, columns(comparison), _NARROW if narrow else range(len(_COLUMNS))))
    for line in notes(comparison):
        console.print(cell(line), soft_wrap=True)
    if narrow:
        left_out = ", ".join(name for position, name in enumerate(columns(comparison)) if position not in _NARROW)
        console.print(cell(f"left out for lack of room: {left_out}; --markdown, --csv and --json have them"), soft_wrap=True)


def _table(rows: list[Row], names: Sequence[str], positions: Iterable[int]) -> Table:
    shown = list(positions)
    table = new_table()
    for position in shown:
        table.add_column(names[position], justify="left" if position < 2 else "right", no_wrap=position < 2)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        style = {True: "green", False: "red", None: ""}[row.better]
        last = following is not None and following.metric != row.metric
        texts = cells(row)
        table.add_row(*(cell(texts[i], style if 4 <= i <= 5 else "") for i in shown), end_section=last)
    return table


def _number(value: float | None, *, signed: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if signed else ''}.3f}"


def _p_value(row: Row, value: float | None) -> str:
    if value is None:
        return "=" if row.p_value is None and row.ci_low is not None else "–"
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
