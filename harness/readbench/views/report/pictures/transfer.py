"""The transfer that was seen: which capability's training moved which score."""

import math

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from readbench.results.stats import MIN_PAIRS
from readbench.results.transfer.observed import PER_TOKENS, Transfer, transfer
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Cell, Column, Panel, Picture, Swatch, Table
from readbench.views.report.pictures.drawing.looks import SINGLE
from readbench.views.report.pictures.drawing.svg import GAIN, GRID, INK, LOSS, MUTED, PIXEL, SURFACE, axes, draw
from readbench.views.report.view import View, label

LEFT, BOTTOM = 134, 118  # pixels for the names
LEAST_CELL, ROW = 22, 30
POINTS = 100  # in a score of 1
MOST_WITH_NUMBERS = 10  # capabilities: beyond, a cell is too small for its number


def transfer_matrix(view: View) -> Picture:
    """A matrix of what ten thousand tokens did."""
    found = transfer(view.results, capabilities=view.capabilities)
    seen = int(found.seen.sum())
    width = max(SINGLE, LEFT + 8 + LEAST_CELL * len(found.capabilities))
    if found.num_seeds < MIN_PAIRS:
        shown = f"With fewer than {MIN_PAIRS} seeds nothing tells an effect from noise: all cells are shown, faintly."
    else:
        shown = f"Shown are the {seen} effects whose 95 % interval over whole seeds leaves out 0."
    return Picture(
        anchor="transfer",
        heading="What training one thing did to another",
        reading=f"Each cell: by how many points (hundredths of the score) {PER_TOKENS:,} tokens spent on the column's capability"
        f" moved the row's score. Blue rose; red and hatched fell; framed is a capability's effect on itself. {shown}",
        note=f"Least squares over {found.num_intervals} intervals. Observational: the allocators chose what to train, returns diminish,"
        f" and about one cell in twenty stands out by chance ({len(found.capabilities) ** 2} cells). A dot: the estimate does not stand"
        " out. A cross: never trained enough to tell.",
        beside=True,
        legend=_legend(),
        panels=(
            Panel(
                title="",
                wide=width > SINGLE,
                svg=draw(
                    lambda figure: _paint(figure, found),
                    width=width,
                    height=ROW * len(found.capabilities) + BOTTOM + 8,
                    key="transfer",
                    title="Observed transfer between capabilities",
                    description=_said(found),
                ),
            ),
        ),
        numbers=_table(found),
    )


def _legend() -> tuple[Swatch, ...]:
    def key(colour: str, hatch: str, name: str) -> Swatch:
        def paint(figure: Figure) -> None:
            figure.add_artist(Rectangle((0, 0), 1, 1, facecolor=colour, hatch=hatch, hatchcolor=SURFACE, linewidth=0))

        return Swatch(svg=draw(paint, width=22, height=14, key=f"transfer-{'fell' if hatch else 'rose'}", decorative=True), label=name)

    return key(GAIN, "", "the score rose"), key(LOSS, "//", "the score fell")


def _paint(figure: Figure, found: Transfer) -> None:
    count = len(found.capabilities)
    plot = axes(figure, left=LEFT, right=8, top=6, bottom=BOTTOM)
    plot.set_xlim(-0.5, count - 0.5)
    plot.set_ylim(count - 0.5, -0.5)
    names = [label(c) for c in found.capabilities]
    plot.set_yticks(range(count), names)
    plot.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    plot.tick_params(colors=INK, pad=6)
    for line, text in enumerate(("across: trained", "down: score that moved")):
        figure.text(0, (30 - 18 * line) * PIXEL / figure.get_size_inches()[1], text, color=MUTED)
    largest = max((abs(v) for v in found.effect[_shown(found)].tolist()), default=1.0)
    for trained in range(count):
        for moved in range(count):
            _cell(plot, found, trained, moved, largest)


def _shown(found: Transfer) -> npt.NDArray[np.bool_]:
    """(K, K) which cells are coloured."""
    return found.seen if found.num_seeds >= MIN_PAIRS else ~np.isnan(found.effect)


def _cell(plot: Axes, found: Transfer, trained: int, moved: int, largest: float) -> None:
    value = float(found.effect[trained, moved])
    corner, own = (trained - 0.46, moved - 0.46), trained == moved
    plot.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=INK if own else GRID, linewidth=1.4 if own else 0.8))
    if math.isnan(value):
        plot.text(trained, moved, "×", ha="center", va="center_baseline", color=MUTED)
        return
    if not _shown(found)[trained, moved]:
        plot.text(trained, moved, "·", ha="center", va="center_baseline", color=MUTED)
        return
    faint = 1.0 if found.num_seeds >= MIN_PAIRS else 0.5
    colour, hatch = (GAIN, "") if value >= 0 else (LOSS, "//")
    strength = faint * (0.2 + 0.55 * abs(value) / largest)
    plot.add_patch(Rectangle(corner, 0.92, 0.92, facecolor=colour, alpha=strength, linewidth=0))
    if hatch:
        plot.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, hatch=hatch, hatchcolor=SURFACE, linewidth=0))
    if len(found.capabilities) <= MOST_WITH_NUMBERS:
        shown = numbers.figure(POINTS * value, ".1f")  # colour and hatch say the plus
        plot.text(trained, moved, shown, ha="center", va="center_baseline", color=INK, fontsize=10, fontweight="bold")


def _said(found: Transfer) -> str:
    """The strongest effects in words."""
    shown = [
        (float(found.effect[i, j]), found.capabilities[i], found.capabilities[j])
        for i in range(len(found.capabilities))
        for j in range(len(found.capabilities))
        if found.seen[i, j]
    ]
    if not shown:
        return "No effect stands out from the noise."
    shown.sort(key=lambda item: -abs(item[0]))
    listed = "; ".join(f"training {printable(i)} moved {printable(j)} by {numbers.figure(POINTS * v, '+.1f')}" for v, i, j in shown[:20])
    return f"Points per {PER_TOKENS:,} tokens: {listed}."


def _table(found: Transfer) -> Table:
    columns = (
        Column(heading="trained", numeric=False),
        Column(heading="score that moved", numeric=False),
        Column(heading="change", note="points"),
        Column(heading="95 % interval"),
    )
    cells = [(i, j) for i in range(len(found.capabilities)) for j in range(len(found.capabilities)) if not math.isnan(found.effect[i, j])]
    cells.sort(key=lambda cell: (not found.seen[cell], -abs(float(found.effect[cell]))))
    body = []
    for i, j in cells:
        low, high = POINTS * float(found.low[i, j]), POINTS * float(found.high[i, j])
        bounds = "" if math.isnan(low) else f"{numbers.figure(low, '+.1f')} to {numbers.figure(high, '+.1f')}"
        body.append(
            (
                numbers.text(found.capabilities[i]),
                numbers.text(found.capabilities[j]),
                numbers.number(POINTS * float(found.effect[i, j]), "+.1f", best=bool(found.seen[i, j])),
                Cell(text=bounds or numbers.NOTHING, key=low if bounds else None),
            )
        )
    return Table(
        caption=f"Change of a score in points per {PER_TOKENS:,} tokens; bold where the interval leaves out 0",
        columns=columns,
        rows=tuple(body),
    )
