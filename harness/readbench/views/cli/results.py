"""``readbench results``: rebuilds results.json from what the trials committed, shows it, and exports it as long tables."""

from pathlib import Path
from typing import Annotated

import typer


def results(
    run_dirs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories; shown as one where several.", show_default=False)
    ],
    *,
    csv: Annotated[Path | None, typer.Option(metavar="DIR", help="Also write metrics.csv and intervals.csv there.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="DIR", help="Also write metrics.parquet and intervals.parquet there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Rebuild the results.json of runs from their trials; show the tables, export them."""
    from readbench.base.files import open_folder
    from readbench.results import tables
    from readbench.results.document.building import rebuild
    from readbench.results.merging import merge
    from readbench.trials.record.run_files import read_run
    from readbench.views.cli.session import show

    for run_dir in run_dirs:
        read_run(run_dir)  # before a folder is made for what is not there
    for folder in (csv, parquet):
        if folder is not None:
            open_folder(folder)
    runs = [rebuild(run_dir) for run_dir in run_dirs]
    found = runs[0] if len(runs) == 1 else merge(runs).results
    if csv is not None:
        tables.write_csv(found, csv)
    if parquet is not None:
        tables.write_parquet(found, parquet)
    show(runs, *run_dirs, as_json=as_json)
