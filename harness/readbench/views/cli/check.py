"""``readbench check``: a run against a committed baseline, for continuous integration (docs/gate.md)."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Inconclusive(StrEnum):
    """What an inconclusive verdict does."""

    WARN = "warn"
    FAIL = "fail"


def check(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or their results.json; several are judged as one run.", show_default=False),
    ],
    *,
    baseline: Annotated[Path, typer.Option(metavar="FILE", help="The committed baseline.")],
    update: Annotated[bool, typer.Option("--update", help="Make or replace the baseline by this run; show what that changes.")] = False,
    margin: Annotated[
        list[str] | None, typer.Option(metavar="METRIC=DELTA", help="The least loss of a metric that matters; repeatable.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(metavar="A,B", help="Which metrics are gated; without it all with a margin.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML: a test case per allocator and metric.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a markdown table, for a comment or a summary.")] = None,
    inconclusive: Annotated[
        Inconclusive | None, typer.Option(help="Whether an inconclusive verdict passes with a warning, or fails (exit code 3).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome on standard output.")] = False,
) -> None:
    """Hold a run against a baseline: identical, pass, inconclusive or regression."""
    from readbench.views.console.text import console_for, write_json, write_line
    from readbench.views.gate import checking
    from readbench.views.gate.formats.github import annotations, on_github
    from readbench.views.gate.formats.table import print_outcome
    from readbench.views.gate.update import print_update

    request = checking.Request(
        runs=tuple(runs),
        baseline=baseline,
        margins=margin or (),
        metrics=metrics,
        junit=junit,
        markdown=markdown,
        inconclusive=None if inconclusive is None else inconclusive.value,
    )
    if update:
        updated = checking.update(request)
        if as_json:
            write_json(updated.document())
        else:
            print_update(console_for(sys.stdout), updated)
        return
    outcome = checking.check(request, os.environ)
    if as_json:
        write_json(outcome.document())
    else:
        print_outcome(console_for(sys.stdout), outcome)
    if on_github(os.environ):
        for line in annotations(outcome):
            write_line(line, stream=sys.stderr if as_json else sys.stdout)
    raise typer.Exit(outcome.exit_code)
