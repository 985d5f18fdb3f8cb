"""How things look in every picture: a capability's colour and hatch, an allocator's marker, grids, axes, legends."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from readbench.views.report.model import Swatch
from readbench.views.report.pictures.drawing.svg import GRID, INK, MUTED, NEUTRALS, SERIES, SURFACE, draw
from readbench.views.report.view import View, label

PANEL = 340  # pixels: three beside each other on a wide page, one on a phone
SINGLE = 400  # a picture next to its numbers; a phone shows it at nine tenths
HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++", "////")  # lines only: dots are curves, fifty times the bytes
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")


@dataclass(frozen=True, slots=True)
class Look:
    """A fill. The hatch is drawn in the page's background: it shows on light and on dark, and in print without colour."""

    colour: str
    hatch: str


def capability_looks(view: View) -> dict[str, Look]:
    """Coloured what the task needs, grey what it does not; hatches differ among the first eight."""
    looks, coloured, grey = {}, 0, 0
    for index, capability in enumerate(view.capabilities):
        if view.required(capability) > 0:
            colour, coloured = SERIES[coloured % len(SERIES)], coloured + 1
        else:
            colour, grey = NEUTRALS[grey % len(NEUTRALS)], grey + 1
        looks[capability] = Look(colour, HATCHES[index % len(HATCHES)])
    return looks


def swatch(look: Look, text: str, *, key: str) -> Swatch:
    """An entry of a legend with that fill."""

    def paint(figure: Figure) -> None:
        figure.add_artist(Rectangle((0, 0), 1, 1, facecolor=look.colour, hatch=look.hatch, hatchcolor=SURFACE, linewidth=0))

    return Swatch(svg=draw(paint, width=22, height=14, key=key, decorative=True), label=text)


def capability_legend(view: View, *, key: str) -> tuple[Swatch, ...]:
    """All capabilities with what the task needs of them."""
    looks = capability_looks(view)
    return tuple(swatch(look, need(view, c), key=f"{key}-{i}") for i, (c, look) in enumerate(looks.items()))


def need(view: View, capability: str) -> str:
    """``math 50 %``, or the name alone where the task does not need it."""
    return f"{label(capability, 40)} {view.required(capability):.0%}" if view.required(capability) else label(capability, 40)


def grid_lines(axes: Axes, which: str) -> None:
    """Thin lines behind the data: of the x axis, the y axis or both."""
    for axis in ("x", "y") if which == "both" else (which,):
        axes.grid(axis=axis, color=GRID, linewidth=1)


def rows(axes: Axes, labels: Sequence[str], *, emphasised: int | None = None) -> None:
    """One row a label, the first on top."""
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)
    for index, tick in enumerate(axes.get_yticklabels()):
        tick.set_color(INK)
        if index == emphasised:
            tick.set_fontweight("bold")
    axes.tick_params(axis="y", pad=8)


def zero_line(axes: Axes) -> None:
    """Where a difference is zero."""
    axes.axvline(0, color=MUTED, linewidth=1.2)


def tokens_axis(axes: Axes, most: float) -> None:
    """0 to the budget, five steps at most: such that the budget is the last label where that can be."""
    steps = [s * 10**e for e in range(12) for s in (1, 2, 2.5, 3, 5) if most / (s * 10**e) <= 5]
    step = next((s for s in steps if (most / s).is_integer()), steps[0])
    ticks = [i * step for i in range(int(most / step) + 1)]
    axes.set_xlim(0, most)
    axes.set_xticks(ticks, [thousands(t) for t in ticks])


def thousands(tokens: float) -> str:
    """``120k``, ``2.5M``."""
    if tokens >= 1e6:
        return f"{tokens / 1e6:g}M"
    return f"{tokens / 1e3:g}k" if tokens >= 1e3 else f"{tokens:g}"
