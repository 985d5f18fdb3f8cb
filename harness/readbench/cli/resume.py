"""``readbench resume``: goes on where a run stopped."""

from pathlib import Path
from typing import Annotated

import typer


def resume(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)],
    *,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Trials at once; 0 is one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Go on with an interrupted run; finished trials are not repeated."""
    from readbench import runs
    from readbench.cli.session import follow

    follow(run_dir, lambda observe: runs.resume(run_dir, workers=workers, observe=observe), as_json=as_json)
