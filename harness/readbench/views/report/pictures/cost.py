"""Where the tokens and the time of a trial went: stacked bars, one per allocator."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from readbench.results.stats import Estimate, estimate
from readbench.views.console.text import printable
from readbench.views.report import numbers
from readbench.views.report.model import Column, Panel, Picture, Table
from readbench.views.report.pictures.drawing.looks import PANEL, Look, grid_lines, rows, swatch, thousands
from readbench.views.report.pictures.drawing.svg import NEUTRALS, SERIES, SURFACE, axes, draw
from readbench.views.report.view import View, label

ROW = 34
LOOKS = {
    "trained": Look(SERIES[0], ""),
    "generated": Look(SERIES[4], "//"),
    "train": Look(SERIES[0], ""),
    "teacher": Look(SERIES[4], "//"),
    "allocator": Look(SERIES[1], "\\\\"),
    "pilot": Look(SERIES[1], "\\"),
    "scored": Look(SERIES[2], "//"),
    "rollout": Look(SERIES[3], "xx"),
    "probe": Look(NEUTRALS[0], ""),
    "dev": Look(NEUTRALS[1], "||"),
    "eval": Look(NEUTRALS[0], "xx"),
    "other": Look(NEUTRALS[1], "\\\\"),
}
TOKENS = ("trained", "generated", "rollout", "scored", "pilot", "probe", "dev", "eval")
PHASES = ("train", "teacher", "rollout", "allocator", "probe", "eval")
RARE = ("rollout", "scored", "pilot")  # shown only where a trial had them: else they would only take room


def cost(view: View) -> Picture:
    """Means over seeds."""
    trials = [trial.tokens for each in view.trials.values() for trial in each]
    kinds = [kind for kind in TOKENS if kind not in RARE or any(getattr(tokens, kind) for tokens in trials)]
    tokens = {a.name: {kind: a.tokens[kind] for kind in kinds} for a in view.allocators}
    seconds = {name: _phases(view, name) for name in tokens}
    return Picture(
        anchor="cost",
        heading="Where the tokens and the time went",
        reading="Per trial, mean over seeds. Coloured tokens are charged to the budget; grey ones are what measuring took, the"
        " same for every allocator. Time depends on the machine, and on which trial asked the"
        " teacher first: later ones find its answers stored.",
        panels=(
            _panel(
                "Tokens", "trained, generated, rollout and scored tokens and the payment for pilots are charged", tokens, key="cost-tokens"
            ),
            _panel("Seconds", "dev is measured with probe; other is storing and loading", seconds, key="cost-seconds"),
        ),
        numbers=_table(view, tokens, seconds),
    )


def _phases(view: View, name: str) -> dict[str, Estimate | None]:
    seconds = [trial.seconds for trial in view.trials[name]]
    phases = _phase_names(view)
    other = [max(0.0, lap.total - sum(getattr(lap, phase) for phase in phases)) for lap in seconds]
    return {phase: estimate([getattr(lap, phase) for lap in seconds]) for phase in phases} | {"other": estimate(other)}


def _phase_names(view: View) -> list[str]:
    """The phases that the trials had."""
    seconds = [trial.seconds for each in view.trials.values() for trial in each]
    return [phase for phase in PHASES if phase not in RARE or any(getattr(lap, phase) for lap in seconds)]


def _panel(title: str, note: str, bars: Mapping[str, Mapping[str, Estimate | None]], *, key: str) -> Panel:
    totals = {name: sum(e.mean for e in parts.values() if e) for name, parts in bars.items()}

    def paint(figure: Figure) -> None:
        plot = axes(figure, left=122, right=16, top=4, bottom=26)
        grid_lines(plot, "x")
        rows(plot, [label(name) for name in bars])
        for row, parts in enumerate(bars.values()):
            start = 0.0
            for kind, value in parts.items():
                length = value.mean if value else 0.0
                look = LOOKS[kind]
                plot.barh(row, length, left=start, height=0.62, facecolor=look.colour, hatch=look.hatch, hatchcolor=SURFACE, linewidth=0)
                start += length
        plot.set_xlim(0, max(*totals.values(), 1e-9) * 1.04)
        plot.locator_params(axis="x", nbins=5)
        plot.xaxis.set_major_formatter(lambda value, _: thousands(value))

    said = "; ".join(
        f"{printable(name)} {thousands(round(totals[name], 1))} ("
        + ", ".join(f"{kind} {thousands(round(v.mean, 1))}" for kind, v in parts.items() if v)
        + ")"
        for name, parts in bars.items()
    )
    return Panel(
        title=title,
        note=note,
        legend=tuple(swatch(LOOKS[kind], kind, key=f"{key}-{kind}") for kind in next(iter(bars.values()))),
        svg=draw(
            paint,
            width=PANEL,
            height=ROW * len(bars) + 30,
            key=key,
            title=f"{title} of a trial per allocator",
            description=f"Mean {title.lower()} of a trial: {said}.",
        ),
    )


def _table(view: View, tokens: Mapping[str, Mapping[str, Estimate | None]], seconds: Mapping[str, Mapping[str, Estimate | None]]) -> Table:
    columns = (
        Column(heading="allocator", numeric=False),
        *(Column(heading=kind, note="tokens") for kind in next(iter(tokens.values()), {})),
        Column(heading="total", note="seconds"),
        *(Column(heading=phase, note="seconds") for phase in next(iter(seconds.values()), {})),
    )
    body = tuple(
        (
            numbers.text(a.name),
            *(numbers.spread(v, ",.0f") for v in tokens[a.name].values()),
            numbers.spread(a.seconds, ".2f"),
            *(numbers.spread(v, ".2f") for v in seconds[a.name].values()),
        )
        for a in view.allocators
    )
    return Table(caption="Tokens and seconds of a trial, mean ± sd over seeds", columns=columns, rows=body)
