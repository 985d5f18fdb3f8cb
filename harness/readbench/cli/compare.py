"""``readbench compare``: every metric's mean, and its paired mean difference to a reference allocator."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def compare(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.", show_default=False)],
    *,
    reference: Annotated[str, typer.Option(metavar="ALLOCATOR", help="What the others are compared with.")] = "uniform",
    as_json: Annotated[bool, typer.Option("--json", help="The comparison on standard output.")] = False,
) -> None:
    """Compare the allocators of a run with a reference, seed by seed."""
    from readbench.report.comparison import compare as compare_run
    from readbench.report.comparison import print_comparison
    from readbench.report.summary import summarise
    from readbench.report.text import console_for, write_json
    from readbench.results import load

    compared = [(run_dir, summarise(load(run_dir))) for run_dir in run_dirs]
    records = [(run_dir, summary, compare_run(summary, reference=reference)) for run_dir, summary in compared]
    if as_json:
        write_json({"runs": [{"run": str(run_dir), "rows": rows} for run_dir, _, rows in records]})
        return
    for run_dir, summary, rows in records:
        print_comparison(console_for(sys.stdout), rows, title=f"{summary.suite}: {run_dir}")
