"""Utility on the dev questions against charged tokens: one panel per allocator, the others in grey behind it."""

import numpy as np
from matplotlib.figure import Figure

from readbench.results.stats import MIN_PAIRS, Difference
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, grid_lines, tokens_axis
from readbench.views.report.pictures.drawing.svg import ACCENT, MUTED, OTHER, axes, draw
from readbench.views.report.view import Matrix, View, mean_over_seeds

HEIGHT = 220


def curves(view: View) -> Picture:
    """The band is the pointwise 95 % Student-t interval of the mean over whole seeds."""
    lines = {a.name: _line(view, a.name) for a in view.allocators}
    ends = [v for _, points in lines.values() for p in points for v in (p.interval or (p.mean, p.mean))]
    limits = (max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03))
    panels = tuple(_panel(view, lines, name, limits, index) for index, name in enumerate(lines))
    banded = any(p.interval for _, points in lines.values() for p in points)
    interval = ", with its pointwise 95 % interval over whole seeds" if banded else f"; no band below {MIN_PAIRS} of them"
    band = f"Blue: the mean over seeds{interval}."
    return Picture(
        anchor="curves",
        heading="How fast the student learned",
        reading="Utility on the dev questions, before training and whenever it was measured: the mean probability of the right answer,"
        " weighted by what the task needs; of a joint task, the share of items with every step right."
        f" {band} Grey: the other allocators. Higher and earlier is better.",
        axis="Across: tokens charged. Up: utility on the dev questions.",
        panels=panels,
        numbers=_table(lines),
    )


def _line(view: View, name: str) -> tuple[Matrix, list[Difference]]:
    """Mean charged tokens at each measurement, and the mean utility with its interval there."""
    spent = np.insert(np.cumsum(view.charged(name), axis=1).mean(axis=0), 0, 0.0)  # (T + 1,)
    utilities = view.dev_utility(name)
    measured = ~np.isnan(utilities).any(axis=0)
    return spent[measured], [mean_over_seeds(column) for column in utilities[:, measured].T]


def _panel(view: View, lines: dict[str, tuple[Matrix, list[Difference]]], name: str, limits: tuple[float, float], index: int) -> Panel:
    spent, points = lines[name]

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=40, right=14, top=10, bottom=26)
        grid_lines(plot, "y")
        plot.set_ylim(*limits)
        tokens_axis(plot, max(a.budget_tokens for a in view.allocators))
        for other, (x, ys) in lines.items():
            if other != name:
                plot.plot(x, [p.mean for p in ys], color=OTHER, linewidth=1.2)
        if all(p.interval for p in points):
            low, high = zip(*(p.interval for p in points if p.interval), strict=True)
            plot.fill_between(spent, low, high, color=ACCENT, alpha=0.18, linewidth=0)
        plot.plot(spent, [p.mean for p in points], color=ACCENT, linewidth=2.4, marker="o", markersize=4.5, clip_on=False)
        plot.annotate(
            numbers.figure(points[-1].mean, ".2f"),
            (spent[-1], points[-1].mean),
            xytext=(0, 8),
            textcoords="offset points",
            ha="right",
            color=ACCENT,
            fontweight="bold",
        )
        plot.tick_params(axis="y", labelcolor=MUTED)

    first, last = points[0], points[-1]
    band = f", 95 % interval {numbers.interval(last, '.3f').text}" if last.interval else ""
    return Panel(
        title=printable(name),
        best=index == 0,
        svg=draw(
            paint,
            width=PANEL,
            height=HEIGHT,
            key=f"curve{index}",
            title=f"Utility on the dev questions against tokens: {printable(name)}",
            description=f"{first.mean:.3f} after {round(spent[0]):,} tokens, {last.mean:.3f} after {round(spent[-1]):,} tokens"
            f"{band}; mean of {last.n} seed{'s' if last.n > 1 else ''}.",
        ),
    )


def _table(lines: dict[str, tuple[Matrix, list[Difference]]]) -> Table:
    rows = []
    for name, (spent, points) in lines.items():
        for index, (tokens, point) in enumerate(zip(spent, points, strict=True)):
            rows.append(
                (
                    numbers.text(name),
                    numbers.number(index, ".0f"),
                    numbers.number(float(tokens), ",.0f"),
                    numbers.number(point.mean),
                    numbers.interval(point, ".3f"),
                )
            )
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="intervals"),
        Column(heading="tokens charged"),
        Column(heading="dev utility"),
        Column(heading="95 % interval"),
    )
    return Table(
        caption="Utility on the dev questions before the first interval and after each, mean over seeds", columns=columns, rows=tuple(rows)
    )
