"""The best allocator against each of the others, seed by seed."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from readbench.results.stats import Difference, differences_by_seed, paired_difference
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import SINGLE, grid_lines, rows, zero_line
from readbench.views.report.pictures.drawing.svg import ACCENT, INK, OTHER, axes, draw
from readbench.views.report.view import View, label

ROW = 44


def differences(view: View) -> Picture | None:
    """Utility of the best minus that of the other; None if there is no other, or no other shares a seed with it."""
    best = view.allocators[0]
    pairs: dict[str, tuple[dict[int, float], Difference]] = {}
    for other in view.allocators[1:]:
        difference = paired_difference(best.by_seed["utility"], other.by_seed["utility"])
        if difference is not None:
            pairs[other.name] = differences_by_seed(best.by_seed["utility"], other.by_seed["utility"]), difference
    if not pairs:
        return None
    return Picture(
        anchor="differences",
        heading="By how much, seed by seed",
        reading=f"Utility of {printable(best.name)} minus that of each other allocator. Dots: single seeds, both trained on the same"
        " prompts and answers. Stroke and bar: their mean and its 95 % paired-t interval (from three seeds). A bar that leaves out 0"
        " is a difference that these seeds can tell from none.",
        note="The best was picked after looking: its lead over the runner-up is not corrected for that.",
        beside=True,
        panels=(
            Panel(
                title="",
                svg=draw(
                    lambda figure: _paint(figure, pairs),
                    width=SINGLE,
                    height=ROW * len(pairs) + 46,
                    key="differences",
                    title=f"Paired differences in utility: {printable(best.name)} minus the others",
                    description="; ".join(f"{printable(name)} {numbers.figure(d.mean, '+.3f')}" for name, (_, d) in pairs.items()) + ".",
                ),
            ),
        ),
        numbers=_table(best.name, pairs),
    )


def _paint(figure: Figure, pairs: Mapping[str, tuple[dict[int, float], Difference]]) -> None:
    plot = axes(figure, left=124, right=16, top=4, bottom=42)
    grid_lines(plot, "x")
    rows(plot, [label(name) for name in pairs])
    zero_line(plot)
    for row, (by_seed, difference) in enumerate(pairs.values()):
        if difference.interval is not None:
            plot.plot(difference.interval, [row, row], color=ACCENT, linewidth=8, alpha=0.3, solid_capstyle="butt")
        plot.plot(list(by_seed.values()), [row] * len(by_seed), "o", markersize=5.5, color=OTHER, markeredgecolor=INK, markeredgewidth=0.8)
        plot.plot([difference.mean] * 2, [row - 0.24, row + 0.24], color=ACCENT, linewidth=2.8)
        plot.text(
            difference.mean, row - 0.34, numbers.figure(difference.mean, "+.3f"), ha="center", va="bottom", color=ACCENT, fontweight="bold"
        )
    shown = [v for by_seed, d in pairs.values() for v in (*by_seed.values(), *(d.interval or ()), 0.0)]
    room = 0.06 * max(max(shown) - min(shown), 0.02)
    plot.set_xlim(min(shown) - room, max(shown) + room)
    plot.set_ylim(len(pairs) - 0.5, -0.75)
    plot.locator_params(axis="x", nbins=6)
    plot.set_xlabel("difference in utility", labelpad=8)


def _table(best: str, pairs: Mapping[str, tuple[dict[int, float], Difference]]) -> Table:
    seeds = sorted({seed for by_seed, _ in pairs.values() for seed in by_seed})
    columns = (
        Column(heading=f"{printable(best)} minus", numeric=False),
        Column(heading="mean"),
        Column(heading="95 % interval"),
        Column(heading="p", note="paired t"),
        *(Column(heading=f"seed {seed}") for seed in seeds),
    )
    body = tuple(
        (
            numbers.text(name),
            numbers.number(difference.mean, "+.3f"),
            numbers.interval(difference),
            numbers.number(difference.p_value, ".2g"),
            *(numbers.number(by_seed.get(seed), "+.3f") for seed in seeds),
        )
        for name, (by_seed, difference) in pairs.items()
    )
    return Table(caption="Differences in utility", columns=columns, rows=body)
