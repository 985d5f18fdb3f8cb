"""``readbench resume``: resumes a run where it stopped."""

from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import Executor, RayAddress


def resume(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)],
    *,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Trials at once; 0 is one per core.")] = None,
    executor: Executor = None,
    ray_address: RayAddress = None,
    spend_limit: Annotated[str | None, typer.Option(metavar="N", help="Another spend limit: tokens, or money (5 USD).")] = None,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Resume even if results may no longer be bit-identical; the run is marked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Resume an interrupted run; finished trials are not repeated."""
    from readbench.runs.directory import resolved_again
    from readbench.teachers.endpoint.settings import parse_spend_limit
    from readbench.views.cli.session import follow

    limit = None if spend_limit is None else parse_spend_limit(spend_limit)
    resolved = resolved_again(run_dir, workers=workers, spend_limit=limit, executor=executor, ray_address=ray_address)
    follow(run_dir, resolved, allow_drift=allow_drift, as_json=as_json)
