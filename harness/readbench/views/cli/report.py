"""``readbench report``: one HTML file that shows a run, offline and to anyone."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory, or a results.json.", show_default=False)],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write it; else report.html in the run directory.", show_default=False),
    ] = None,
) -> None:
    """Write a run's report: one HTML file that needs nothing else."""
    from readbench.views.report.command import write_report

    write_report(run, out)
