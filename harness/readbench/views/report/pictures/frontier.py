"""Utility against collateral: what was gained, and what was broken for it."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import MARKERS, SINGLE, grid_lines
from readbench.views.report.pictures.drawing.svg import ACCENT, INK, OTHER, SURFACE, axes, draw
from readbench.views.report.view import View, label

HEIGHT = 340
LINE = 16  # pixels: height of a label
WIDE = 7.4  # pixels: a character, at most
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))  # of a mark, the preferred first
HIDES = 10  # what it costs to cover another name; a mark costs half of it, a seed's dot a tenth
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """An allocator's means and its seeds."""

    name: str
    collateral: float
    utility: float
    seeds: tuple[tuple[float, float], ...]
    best: bool  # no other has more utility for no more collateral


def frontier(view: View) -> Picture | None:
    """None where no allocator has both metrics."""
    points = _points(view)
    if not points:
        return None
    efficient = [p.name for p in points if p.best]
    return Picture(
        anchor="frontier",
        heading="What was gained, and what was broken for it",
        reading="Up is better: more right answers on the test set. Left is better: less lasting harm to what the task does not need."
        " Large marks are means, dots the single seeds. No allocator beats those on the line in both.",
        beside=True,
        panels=(
            Panel(
                title="",
                svg=draw(
                    lambda figure: _paint(figure, points),
                    width=SINGLE,
                    height=HEIGHT,
                    key="frontier",
                    title="Utility against collateral",
                    description="; ".join(f"{printable(p.name)}: utility {p.utility:.3f}, collateral {p.collateral:.3f}" for p in points)
                    + f". On the frontier: {', '.join(map(printable, efficient))}.",
                ),
            ),
        ),
        numbers=_table(points),
    )


def _points(view: View) -> list[Point]:
    means: dict[str, tuple[float, float]] = {}
    seeds: dict[str, tuple[tuple[float, float], ...]] = {}
    for allocator in view.allocators:
        collateral, utility = allocator.metric("collateral"), allocator.metric("utility")
        if collateral is not None and utility is not None:
            first, second = allocator.by_seed["collateral"], allocator.by_seed["utility"]
            means[allocator.name] = (collateral.mean, utility.mean)
            seeds[allocator.name] = tuple((first[seed], second[seed]) for seed in sorted(first.keys() & second.keys()))
    return [
        Point(
            name=name,
            collateral=mean[0],
            utility=mean[1],
            seeds=seeds[name],
            best=not any(_dominates(other, mean) for other in means.values()),
        )
        for name, mean in means.items()
    ]


def _dominates(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first != second and first[0] <= second[0] and first[1] >= second[1]


def _paint(figure: Figure, points: list[Point]) -> None:
    plot = axes(figure, left=60, right=16, top=14, bottom=44)
    grid_lines(plot, "both")
    xs = [x for p in points for x, _ in p.seeds]
    ys = [y for p in points for _, y in p.seeds]
    _limits(plot, xs, ys)
    plot.locator_params(nbins=6)
    plot.set_xlabel("collateral  (less is better)", labelpad=8)
    plot.set_ylabel("utility  (more is better)", labelpad=8)
    line = sorted((p.collateral, p.utility) for p in points if p.best)
    plot.plot(*zip(*line, strict=True), color=ACCENT, linewidth=1.4, linestyle=(0, (4, 3)))
    for index, point in enumerate(points):
        colour = ACCENT if point.best else INK
        plot.plot(*zip(*point.seeds, strict=True), "o", markersize=4, color=ACCENT if point.best else OTHER, alpha=0.55, markeredgewidth=0)
        marker = MARKERS[index % len(MARKERS)]
        plot.plot(point.collateral, point.utility, marker, markersize=11, color=colour, markeredgecolor=SURFACE, markeredgewidth=1.5)
    _labels(plot, points)


def _limits(plot: Axes, xs: list[float], ys: list[float]) -> None:
    width, height = max(max(xs) - min(xs), 0.02), max(max(ys) - min(ys), 0.02)
    plot.set_xlim(min(xs) - 0.08 * width, max(xs) + 0.12 * width)
    plot.set_ylim(min(ys) - 0.1 * height, max(ys) + 0.1 * height)


def _labels(plot: Axes, points: list[Point]) -> None:
    """Each name at the side of its mark where it covers least; no name that would cover another, except the frontier's."""
    box = plot.get_window_extent()
    marks = [tuple(plot.transData.transform((p.collateral, p.utility))) for p in points]
    dots = [tuple(plot.transData.transform(seed)) for p in points for seed in p.seeds]
    taken: list[Box] = []
    for point, (x, y) in sorted(zip(points, marks, strict=True), key=lambda pair: not pair[0].best):
        name = label(point.name, 24)
        sides = [_beside(x, y, WIDE * len(name), dx, dy) for dx, dy in SIDES]
        costs = [
            2 * HIDES * _outside(side, box.x0, box.x1)
            + HIDES * sum(_overlap(side, other) for other in taken)
            + 5 * sum(_covers(side, mark, 9) for mark in marks if mark != (x, y))
            + min(HIDES - 1, sum(_covers(side, dot, 2) for dot in dots))
            for side in sides
        ]
        if min(costs) >= HIDES and not point.best:
            continue
        chosen = sides[costs.index(min(costs))]
        taken.append(chosen)
        plot.annotate(
            name,
            (point.collateral, point.utility),
            xytext=((chosen[0] + chosen[1]) / 2 - x, (chosen[2] + chosen[3]) / 2 - y),
            textcoords="offset pixels",
            ha="center",
            va="center_baseline",
            color=ACCENT if point.best else INK,
            fontweight="bold" if point.best else "normal",
        )


def _beside(x: float, y: float, width: float, dx: int, dy: int) -> Box:
    """(left, right, bottom, top) in pixels of a text of that width around its mark."""
    middle, height = x + dx * (width / 2 + (11 if dy == 0 else 6)), y + dy * LINE
    return (middle - width / 2, middle + width / 2, height - LINE / 2, height + LINE / 2)


def _outside(box: Box, left: float, right: float) -> bool:
    return box[0] < left or box[1] > right + 16


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[1] and second[0] < first[1] and first[2] < second[3] and second[2] < first[3]


def _covers(box: Box, point: tuple[float, ...], radius: float) -> bool:
    return _overlap(box, (point[0] - radius, point[0] + radius, point[1] - radius, point[1] + radius))


def _table(points: list[Point]) -> Table:
    return Table(
        caption="Means over seeds",
        columns=(
            Column(heading="allocator", numeric=False),
            Column(heading="utility"),
            Column(heading="collateral"),
            Column(heading="on the frontier", numeric=False),
        ),
        rows=tuple(
            (numbers.text(p.name), numbers.number(p.utility), numbers.number(p.collateral), numbers.text("yes" if p.best else "no"))
            for p in points
        ),
    )
