"""What an allocator expected of its candidates, against how uncertain it was: one panel per allocator that says so."""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, Look, grid_lines, swatch
from readbench.views.report.pictures.drawing.svg import ACCENT, MUTED, OTHER, axes, draw
from readbench.views.report.view import Matrix, View

HEIGHT = 220


def decisions(view: View) -> Picture | None:
    """Means over seeds; None if no allocator says how uncertain it is."""
    found = {a.name: said for a in view.allocators if (said := view.expected(a.name)) is not None}
    if not found:
        return None
    return Picture(
        anchor="decisions",
        heading="What decided: expectation or uncertainty",
        reading="At each interval the allocator expects something of every mix that it may take. Blue: how far apart its expectations are"
        " (their standard deviation). Grey: how uncertain it is of them. Where grey lies above blue, what it learned decides little.",
        axis="Across: interval, from the first to the last. Up: in the allocator's units, those of the reward.",
        legend=(swatch(Look(ACCENT, ""), "spread", key="decided-spread"), swatch(Look(OTHER, ""), "uncertainty", key="decided-sd")),
        panels=tuple(_panel(name, said, index) for index, (name, said) in enumerate(found.items())),
        numbers=_table(view, found),
    )


def _panel(name: str, said: Matrix, index: int) -> Panel:
    asked = np.flatnonzero(~np.isnan(said).any(axis=(0, 2)))
    _, spread, uncertainty = said[:, asked].mean(axis=0).T

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=48, right=14, top=10, bottom=26)
        grid_lines(plot, "y")
        plot.plot(asked + 1, uncertainty, color=OTHER, linewidth=2.4, marker="s", markersize=4)
        plot.plot(asked + 1, spread, color=ACCENT, linewidth=2.4, marker="o", markersize=4.5)
        plot.set_xlim(0.5, said.shape[1] + 0.5)
        plot.set_ylim(0, 1.1 * float(max(spread.max(), uncertainty.max())))
        plot.locator_params(axis="y", nbins=4)
        plot.locator_params(axis="x", integer=True)
        plot.tick_params(axis="y", labelcolor=MUTED)

    return Panel(
        title=printable(name),
        svg=draw(
            paint,
            width=PANEL,
            height=HEIGHT,
            key=f"decided{index}",
            title=f"Spread and uncertainty of the expectations: {printable(name)}",
            description=f"Mean over the intervals: spread {spread.mean():.4f}, uncertainty {uncertainty.mean():.4f}.",
        ),
    )


def _table(view: View, found: dict[str, Matrix]) -> Table:
    rows = []
    for name, said in found.items():
        known = ~np.isnan(said).any(axis=2)
        chosen, rewards = said[..., 0][known], view.rewards(name)[known]
        constant = len(chosen) < 3 or np.ptp(chosen) == 0 or np.ptp(rewards) == 0
        correlation = None if constant else float(spearmanr(chosen, rewards).statistic)
        means = np.nanmean(said, axis=(0, 1))
        rows.append((numbers.text(name), *(numbers.number(float(mean), ".4f") for mean in means), numbers.number(correlation, "+.2f")))
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="expected", note="of what it took"),
        Column(heading="spread"),
        Column(heading="uncertainty"),
        Column(heading="rank correlation", note="of what it expected with the reward that came"),
    )
    return Table(caption="Means over intervals and seeds", columns=columns, rows=tuple(rows))
