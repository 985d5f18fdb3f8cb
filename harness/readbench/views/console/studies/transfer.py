"""A measured transfer matrix as tables, JSON or a picture."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from readbench.base.files import write_bytes
from readbench.views.console.text import cell, console_for, new_table, printable, tokens_text, write_json, write_line

if TYPE_CHECKING:
    from rich.table import Table

    from readbench.results.transfer.measured import TransferMatrix


def show_transfer(matrix: "TransferMatrix", *, as_json: bool) -> None:
    """One table per budget: rows are what was trained, columns the scores that moved; dim where the interval holds 0."""
    if as_json:
        write_json(matrix.document())
        return
    console = console_for(sys.stdout)
    for number, budget in enumerate(matrix.budgets):
        console.print(
            cell(f"{tokens_text(budget)} tokens on one capability (rows): change of each score, mean over {_seeds(matrix)}", "bold")
        )
        console.print(_table(matrix, number))
    console.print(cell("dim: the 95 % interval holds 0" if len(matrix.seeds) > 2 else "fewer than three seeds: no intervals"))


def _seeds(matrix: "TransferMatrix") -> str:
    return "1 seed" if len(matrix.seeds) == 1 else f"{len(matrix.seeds)} seeds"


def _table(matrix: "TransferMatrix", number: int) -> "Table":
    table = new_table()
    table.add_column("trained")
    for capability in matrix.capabilities:
        table.add_column(printable(capability), justify="right")
    for trained, capability in enumerate(matrix.capabilities):
        cells = []
        for moved in range(len(matrix.capabilities)):
            value = matrix.change[number, trained, moved]
            style = "bold" if trained == moved else ("green" if value > 0 else "red")
            cells.append(Text(f"{value:+.3f}", style=style if matrix.separated[number, trained, moved] else "dim"))
        table.add_row(cell(capability), *cells)
    return table


def draw_transfer(matrix: "TransferMatrix", path: Path) -> None:
    """One heat map per budget side by side, as an SVG file; a cell without a number has an interval that holds 0."""
    from matplotlib.figure import Figure

    count, most = len(matrix.capabilities), float(abs(matrix.change).max()) or 1.0
    figure = Figure(figsize=(len(matrix.budgets) * (0.6 * count + 1) + 2, 0.5 * count + 2.5), layout="constrained")
    for number, (plot, budget) in enumerate(zip(figure.subplots(1, len(matrix.budgets), squeeze=False)[0], matrix.budgets, strict=True)):
        image = plot.imshow(matrix.change[number], cmap="RdBu", vmin=-most, vmax=most)
        plot.set_title(f"{tokens_text(budget)} tokens")
        plot.set_xticks(range(count), matrix.capabilities, rotation=45, ha="right", parse_math=False)
        plot.set_yticks(range(count), matrix.capabilities if number == 0 else [""] * count, parse_math=False)
        plot.set_xlabel("score that moved")
        plot.set_ylabel("trained" if number == 0 else "")
        for row in range(count):
            for column in range(count):
                if matrix.separated[number, row, column]:
                    value = matrix.change[number, row, column]
                    colour = "white" if abs(value) > 0.6 * most else "black"
                    points = f"{100 * value:+.0f}" if abs(value) >= 0.005 else f"{100 * value:+.1f}"
                    plot.text(column, row, points, ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, ax=figure.axes, label="change of the score (in the cells: hundredths)", shrink=0.8)
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    write_bytes(path, stream.getvalue())
    write_line(f"drawn: {path}")
