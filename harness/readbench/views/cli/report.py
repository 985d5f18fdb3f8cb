"""``readbench report``: one HTML file that shows a run, offline and to anyone."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or their results.json; one page where several.", show_default=False),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write it; else RUN/report.html.", show_default=False),
    ] = None,
) -> None:
    """Write a run's report: one HTML file that needs nothing else."""
    from readbench.views.report.command import write_report

    write_report(runs, out)
