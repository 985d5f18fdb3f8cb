"""The verdicts in a terminal."""

from rich.console import Console, RenderableType

from readbench.views.console.text import cell, new_table
from readbench.views.gate.formats.wording import bounds_text, headline, remarks, signed
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import Status, Verdict

_STYLES = {Status.IDENTICAL: "green", Status.PASS: "green", Status.INCONCLUSIVE: "yellow", Status.REGRESSION: "bold red"}


def print_outcome(console: Console, outcome: Outcome) -> None:
    """The table, what changed and what is missing, and the outcome as the last line."""
    console.print(cell(f"{outcome.suite}: {outcome.run} against its baseline", "bold"), soft_wrap=True)
    table = new_table()
    for heading in ("verdict", "allocator", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("baseline", "run", "improvement", "one-sided bounds", "margin", "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for verdict in outcome.verdicts:
        table.add_row(*_cells(verdict))
    console.print(table)
    for line in remarks(outcome):
        console.print(cell(line), soft_wrap=True)
    console.print(cell(headline(outcome), _STYLES[outcome.status]), soft_wrap=True)


def _cells(verdict: Verdict) -> tuple[RenderableType, ...]:
    return (
        cell(verdict.status, _STYLES[verdict.status]),
        cell(verdict.allocator),
        cell(verdict.metric),
        f"{verdict.mean_baseline:.4f}",
        f"{verdict.mean_run:.4f}",
        signed(verdict.improvement),
        bounds_text(verdict),
        f"{verdict.margin:g}",
        str(verdict.num_seeds),
    )
