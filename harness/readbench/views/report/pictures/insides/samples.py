"""What learning from the student's own samples looked like: one panel per figure of the objective, over the intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from readbench.api import Vector
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, Look, grid_lines, swatch
from readbench.views.report.pictures.drawing.svg import ACCENT, MUTED, OTHER, axes, draw
from readbench.views.report.view import View

HEIGHT = 170
SAYS = {
    "reward": "the verifier's score of a sample",
    "equal_groups": "groups of samples whose rewards are all alike: nothing is learned from them by reward",
    "hinted": "prompts that no answer solved, tried again with a hint",
    "entropy": "the student's, in nats a token",
    "clipped_up": "tokens of good samples beyond the trust region",
    "clipped_down": "tokens of bad samples beyond the trust region",
    "kl_to_teacher": "log student − log teacher of a sampled token, nats",
    "kl_to_reference": "log student − log untrained student of a sampled token, nats",
    "length": "tokens of a sample",
    "finished": "samples that ended by themselves",
}


def samples(view: View) -> Picture | None:
    """Means over seeds; None if nothing was learned from samples, or the objective shows nothing."""
    names = [allocator.name for allocator in view.allocators]
    found = {figure for name in names for figure in view.figure_names(name)}
    if not found:
        return None
    figures = [*(figure for figure in SAYS if figure in found), *sorted(found - SAYS.keys())]
    return Picture(
        anchor="samples",
        heading="Learning from the student's own samples",
        reading="What the objective shows of each interval. Where groups are all alike, rewards teach nothing; where the entropy falls"
        " to 0, the student has stopped exploring; where much is clipped, the trust region holds it back.",
        axis="Across: interval, from the first to the last.",
        legend=(
            swatch(Look(ACCENT, ""), printable(names[0]), key="samples-best"),
            *([swatch(Look(OTHER, ""), "the others", key="samples-other")] if len(names) > 1 else []),
        ),
        panels=tuple(_panel(view, names, figure, index) for index, figure in enumerate(figures)),
        numbers=_table(view, names, figures),
    )


def _panel(view: View, names: Sequence[str], figure: str, index: int) -> Panel:
    lines = {name: _mean(view, name, figure) for name in names}

    def paint(canvas: Figure) -> None:
        plot = axes(canvas, left=48, right=14, top=10, bottom=26)
        grid_lines(plot, "y")
        for name, line in reversed(lines.items()):
            best = name == names[0]
            known = np.flatnonzero(~np.isnan(line))
            plot.plot(known + 1, line[known], color=ACCENT if best else OTHER, linewidth=2.4 if best else 1.6, marker="o", markersize=3.5)
        plot.set_xlim(0.5, max(map(len, lines.values())) + 0.5)
        plot.locator_params(axis="y", nbins=4)
        plot.locator_params(axis="x", integer=True)
        plot.tick_params(axis="y", labelcolor=MUTED)

    said = "; ".join(f"{printable(name)} {line[~np.isnan(line)][-1]:.3f}" for name, line in lines.items() if not np.isnan(line).all())
    return Panel(
        title=printable(figure),
        note=SAYS.get(figure, ""),
        svg=draw(
            paint,
            width=PANEL,
            height=HEIGHT,
            key=f"samples{index}",
            title=f"{printable(figure)} over the intervals",
            description=f"In the last interval: {said}.",
        ),
    )


def _mean(view: View, name: str, figure: str) -> Vector:
    """(T,) over seeds; NaN in an interval where no seed has the figure."""
    values = view.figure(name, figure)
    known = ~np.isnan(values)
    counts, means = known.sum(axis=0), np.full(values.shape[1], np.nan)
    means[counts > 0] = np.where(known, values, 0.0).sum(axis=0)[counts > 0] / counts[counts > 0]
    return means


def _table(view: View, names: Sequence[str], figures: Sequence[str]) -> Table:
    rows = []
    for name in names:
        means = [view.figure(name, figure) for figure in figures]
        cells = [None if np.isnan(each).all() else float(np.nanmean(each)) for each in means]
        rows.append((numbers.text(name), *(numbers.number(cell, ".3f") for cell in cells)))
    columns = (
        Column(heading="allocator", numeric=False),
        *(Column(heading=printable(figure), note=SAYS.get(figure, "")) for figure in figures),
    )
    return Table(caption="Means over intervals and seeds", columns=columns, rows=tuple(rows))
