"""The student's profile before and after training: one panel per allocator, one row per capability."""

from matplotlib.figure import Figure

from readbench.results.stats import Estimate
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, grid_lines, need, rows
from readbench.views.report.pictures.drawing.svg import GAIN, INK, LOSS, MUTED, SURFACE, axes, draw
from readbench.views.report.view import View, label

ROW = 25


def profile(view: View) -> Picture:
    """An arrow from before to after; its head says the direction, its colour says it again."""
    return Picture(
        anchor="profile",
        heading="What the student can do, before and after",
        reading="Each arrow goes from the score before training (ring) to the mean score after it (head): blue where the student gained,"
        " red and dashed where it lost. The small stroke is the teacher. Bold is what the task needs.",
        axis="Across: score on the probes, the mean probability of the right answer.",
        panels=tuple(_panel(view, index) for index in range(len(view.allocators))),
        numbers=_table(view),
    )


def _panel(view: View, index: int) -> Panel:
    allocator = view.allocators[index]
    pairs = [_pair(view, index, capability) for capability in view.capabilities]
    teacher = _teacher(view)

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=134, right=14, top=6, bottom=24)
        grid_lines(plot, "x")
        rows(plot, [f"{label(c)}" for c in view.capabilities])
        for tick, capability in zip(plot.get_yticklabels(), view.capabilities, strict=True):
            tick.set_fontweight("bold" if view.required(capability) else "normal")
            tick.set_color(INK if view.required(capability) else MUTED)
        plot.set_xlim(-0.02, 1.02)
        plot.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        for row, (before, after) in enumerate(pairs):
            colour = GAIN if after.mean >= before.mean else LOSS
            line = "-" if after.mean >= before.mean else (0, (2.2, 1.4))
            plot.plot([before.mean, after.mean], [row, row], color=colour, linewidth=2.6, linestyle=line, solid_capstyle="butt")
            plot.plot(before.mean, row, "o", markersize=6, markerfacecolor=SURFACE, markeredgecolor=MUTED, markeredgewidth=1.4)
            plot.plot(after.mean, row, ">" if after.mean >= before.mean else "<", markersize=8, color=colour, markeredgewidth=0)
        for row, capability in enumerate(view.capabilities):
            if teacher:
                plot.plot([teacher[capability]] * 2, [row - 0.28, row + 0.28], color=INK, linewidth=1.4)

    changes = ", ".join(f"{printable(c)} {b.mean:.2f} to {a.mean:.2f}" for c, (b, a) in zip(view.capabilities, pairs, strict=True))
    return Panel(
        title=printable(allocator.name),
        best=index == 0,
        svg=draw(
            paint,
            width=PANEL,
            height=ROW * len(pairs) + 30,
            key=f"profile{index}",
            title=f"Profile before and after training: {printable(allocator.name)}",
            description=f"Scores on the probes: {changes}.",
        ),
    )


def _pair(view: View, index: int, capability: str) -> tuple[Estimate, Estimate]:
    before, after = view.summary.profile_before[capability], view.allocators[index].profile_after[capability]
    assert before is not None  # noqa: S101 - a complete trial has a profile
    assert after is not None  # noqa: S101
    return before, after


def _teacher(view: View) -> dict[str, float] | None:
    start = view.results.start
    return None if start is None else start.teacher_profile


def _table(view: View) -> Table:
    teacher = _teacher(view)
    body = []
    for capability in view.capabilities:
        afters = [_pair(view, index, capability)[1] for index in range(len(view.allocators))]
        before = _pair(view, 0, capability)[0]
        body.append(
            (
                numbers.text(need(view, capability)),
                numbers.number(teacher[capability] if teacher else None),
                numbers.number(before.mean),
                *(numbers.spread(after, best=after.mean == max(a.mean for a in afters)) for after in afters),
            )
        )
    columns = (
        Column(heading="capability", numeric=False),
        Column(heading="teacher"),
        Column(heading="before"),
        *(Column(heading=printable(a.name), note="after") for a in view.allocators),
    )
    return Table(caption="Scores on the probes, mean ± sd over seeds", columns=columns, rows=tuple(body))
