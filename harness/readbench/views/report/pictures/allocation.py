"""What each interval's tokens were spent on: stacked areas, one panel per allocator."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, capability_legend, capability_looks
from readbench.views.report.pictures.drawing.svg import SURFACE, axes, draw
from readbench.views.report.view import Matrix, View

HEIGHT = 220


def allocation(view: View) -> Picture:
    """Mean over seeds of the charged tokens' shares."""
    names = [a.name for a in view.allocators]
    return Picture(
        anchor="allocation",
        heading="What each interval’s tokens were spent on",
        reading="Share of each interval's charged tokens by capability, mean over seeds. Coloured: what the task needs, the most"
        " needed at the bottom. Grey: what it does not need.",
        axis="Across: interval, from the first to the last. Up: share of its tokens.",
        legend=capability_legend(view, key="alloc-key"),
        panels=tuple(_panel(view, name, index) for index, name in enumerate(names)),
        numbers=_table(view),
    )


def _panel(view: View, name: str, index: int) -> Panel:
    shares = view.shares(name).mean(axis=0)  # (T, K)

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=40, right=14, top=8, bottom=26)
        _areas(plot, view, shares)
        plot.set_ylim(0, 1)
        plot.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        count = len(shares)
        plot.set_xlim(0, count)
        step = max(1, -(-count // 12))
        shown = list(range(0, count, step))
        plot.set_xticks([t + 0.5 for t in shown], [str(t + 1) for t in shown])

    total = view.allocators[index].allocation
    spent = sorted(((c, e.mean) for c, e in total.items() if e is not None), key=lambda item: -item[1])
    return Panel(
        title=printable(name),
        best=index == 0,
        svg=draw(
            paint,
            width=PANEL,
            height=HEIGHT,
            key=f"alloc{index}",
            title=f"Allocation over the intervals: {printable(name)}",
            description="Of all its tokens: " + ", ".join(f"{printable(c)} {share:.0%}" for c, share in spent if share >= 0.005) + ".",
        ),
    )


def _areas(plot: Axes, view: View, shares: Matrix) -> None:
    """Steps, since a share holds for its whole interval; edges in the background's colour part equal greys."""
    looks = capability_looks(view)
    edges = np.arange(len(shares) + 1)
    floor = np.zeros(len(shares))
    for column, look in enumerate(looks.values()):
        top = floor + shares[:, column]
        if shares[:, column].any():
            plot.stairs(
                top, edges, baseline=floor, fill=True, facecolor=look.colour, hatch=look.hatch, hatchcolor=SURFACE, edgecolor=SURFACE
            )
        floor = top


def _table(view: View) -> Table:
    rows = []
    for allocator in view.allocators:
        for index, shares in enumerate(view.shares(allocator.name).mean(axis=0)):
            cells = [numbers.number(float(share), ".0%") for share in shares]
            rows.append((numbers.text(allocator.name), numbers.number(index + 1, ".0f"), *cells))
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="interval"),
        *(Column(heading=printable(c)) for c in view.capabilities),
    )
    return Table(caption="Share of each interval's charged tokens, mean over seeds", columns=columns, rows=tuple(rows))
