"""Utility at full budget against the budget: one panel per allocator and objective, the others in grey behind it."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from readbench.results.stats import MIN_PAIRS, Difference
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, grid_lines, tokens_axis
from readbench.views.report.pictures.drawing.svg import ACCENT, MUTED, OTHER, axes, draw
from readbench.views.report.view import View, mean_over_seeds

HEIGHT = 220
Line = Mapping[int, Difference]  # budget in tokens, ascending → utility


def budgets(view: View) -> Picture | None:
    """The bars are 95 % Student-t intervals of the mean over whole seeds. None where nothing has two budgets."""
    lines = {name: line for name, line in _lines(view).items() if len(line) > 1}
    if not lines:
        return None
    banded = any(point.interval for line in lines.values() for point in line.values())
    bars = "with its 95 % interval over whole seeds" if banded else f"no interval below {MIN_PAIRS} seeds"
    return Picture(
        anchor="budgets",
        heading="What a larger budget brings",
        reading=f"Utility at the end of whole trials with each budget, {bars}. Each budget has its own trials: the learning rate falls and"
        " the prompts get harder over a trial's whole budget, so that a longer trial is no continuation of a shorter one.",
        axis="Across: tokens that a trial may charge. Up: utility on the test set.",
        panels=tuple(_panel(lines, name, index) for index, name in enumerate(lines)),
        numbers=_table(lines),
    )


def _lines(view: View) -> dict[str, Line]:
    """By allocator and objective, in the order of their best."""
    found: dict[str, dict[int, Difference]] = {}
    for allocator in view.allocators:
        scores = list(allocator.by_seed["utility"].values())
        if scores:
            name = allocator.name.replace(f"/{allocator.budget_tokens}", "", 1)
            found.setdefault(name, {})[allocator.budget_tokens] = mean_over_seeds(scores)
    return {name: dict(sorted(line.items())) for name, line in found.items()}


def _panel(lines: Mapping[str, Line], name: str, index: int) -> Panel:
    line = lines[name]
    ends = [v for each in lines.values() for p in each.values() for v in (p.interval or (p.mean, p.mean))]

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=40, right=14, top=10, bottom=26)
        grid_lines(plot, "y")
        plot.set_ylim(max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03))
        tokens_axis(plot, max(budget for each in lines.values() for budget in each))
        for other, each in lines.items():
            if other != name:
                plot.plot(list(each), [point.mean for point in each.values()], color=OTHER, linewidth=1.2)
        for budget, point in line.items():
            if point.interval:
                plot.plot([budget, budget], point.interval, color=ACCENT, linewidth=1.4)
        plot.plot(list(line), [p.mean for p in line.values()], color=ACCENT, linewidth=2.4, marker="o", markersize=5.5, clip_on=False)
        plot.tick_params(axis="y", labelcolor=MUTED)

    return Panel(
        title=printable(name),
        best=index == 0,
        svg=draw(
            paint,
            width=PANEL,
            height=HEIGHT,
            key=f"budget{index}",
            title=f"Utility against the budget: {printable(name)}",
            description="; ".join(f"{budget:,} tokens: {point.mean:.3f}" for budget, point in line.items()),
        ),
    )


def _table(lines: Mapping[str, Line]) -> Table:
    return Table(
        caption="Utility at full budget, mean over seeds",
        columns=(
            Column(heading="allocator", numeric=False),
            Column(heading="budget"),
            Column(heading="seeds"),
            Column(heading="utility"),
            Column(heading="95 % interval"),
        ),
        rows=tuple(
            (
                numbers.text(name),
                numbers.number(budget, ",.0f"),
                numbers.number(point.n, ".0f"),
                numbers.number(point.mean),
                numbers.interval(point, ".3f"),
            )
            for name, line in lines.items()
            for budget, point in line.items()
        ),
    )
