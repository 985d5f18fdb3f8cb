"""Spillover, collateral and waste: every seed, and the mean with its interval."""

from matplotlib.figure import Figure

from readbench.results.stats import Difference
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, grid_lines, rows
from readbench.views.report.pictures.drawing.svg import ACCENT, INK, OTHER, axes, draw
from readbench.views.report.view import View, label, mean_over_seeds

METRICS = {
    "spillover": "harm to what the task needs, while it happened",
    "collateral": "lasting harm to what the task does not need",
    "waste": "share of the tokens that bought nothing measurable",
}
ROW = 30


def harm(view: View) -> Picture:
    """Less is better in all three."""
    means = {metric: _means(view, metric) for metric in METRICS}
    return Picture(
        anchor="harm",
        heading="Spillover, collateral and waste",
        reading="Dots are single seeds; the upright stroke is their mean, the bar its 95 % interval (from three seeds)."
        " Further left is better.",
        panels=tuple(_panel(view, metric, means[metric]) for metric in METRICS if means[metric]),
        numbers=_table(view, means),
    )


def _means(view: View, metric: str) -> dict[str, Difference]:
    return {a.name: mean_over_seeds(list(a.by_seed[metric].values())) for a in view.allocators if a.by_seed[metric]}


def _panel(view: View, metric: str, means: dict[str, Difference]) -> Panel:
    seeds = {a.name: list(a.by_seed[metric].values()) for a in view.allocators if a.name in means}

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=122, right=16, top=4, bottom=24)
        grid_lines(plot, "x")
        rows(plot, [label(name) for name in seeds])
        for row, (name, values) in enumerate(seeds.items()):
            mean = means[name]
            if mean.interval is not None:
                plot.plot(mean.interval, [row, row], color=ACCENT, linewidth=6, alpha=0.3, solid_capstyle="butt")
            plot.plot(values, [row] * len(values), "o", markersize=5, color=OTHER, markeredgecolor=INK, markeredgewidth=0.7)
            plot.plot([mean.mean] * 2, [row - 0.3, row + 0.3], color=ACCENT, linewidth=2.6)
        highest = max(max(values) for values in seeds.values())
        most = max([highest] + [m.interval[1] for m in means.values() if m.interval])
        plot.set_xlim(min(0.0, *(m.interval[0] for m in means.values() if m.interval), 0.0), max(most * 1.04, 0.01))
        plot.locator_params(axis="x", nbins=5)

    said = "; ".join(f"{printable(name)} {mean.mean:.3f}" for name, mean in means.items())
    return Panel(
        title=metric.capitalize(),
        note=METRICS[metric],
        svg=draw(
            paint,
            width=PANEL,
            height=ROW * len(seeds) + 28,
            key=f"harm-{metric}",
            title=f"{metric.capitalize()} per allocator",
            description=f"Mean over seeds: {said}.",
        ),
    )


def _table(view: View, means: dict[str, dict[str, Difference]]) -> Table:
    columns = [Column(heading="allocator", numeric=False)]
    for metric in METRICS:
        columns += [Column(heading=metric), Column(heading="95 % interval", note=metric)]
    body = []
    for allocator in view.allocators:
        cells = [numbers.text(allocator.name)]
        for by_name in means.values():
            mean = by_name.get(allocator.name)
            cells += [numbers.number(mean.mean if mean else None), numbers.interval(mean, ".3f")]
        body.append(tuple(cells))
    return Table(caption="Spillover, collateral and waste, mean over seeds", columns=tuple(columns), rows=tuple(body))
