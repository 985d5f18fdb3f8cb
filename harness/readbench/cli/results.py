"""``readbench results``: rebuilds results.json from what the trials committed, and shows it."""

from pathlib import Path
from typing import Annotated

import typer


def results(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Rebuild a run's results.json from its trials; show the tables."""
    from readbench.cli.session import show
    from readbench.results import rebuild

    show(rebuild(run_dir), run_dir, as_json=as_json)
