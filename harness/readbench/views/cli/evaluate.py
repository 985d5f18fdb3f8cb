"""``readbench evaluate``: the finished students of a run on a changed test set, without training."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="The run directory.", show_default=False)],
    *,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="The suite with the changed test set; else the run's own.")] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Where to write; else in RUN/rescored.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Score a run's finished students again on a changed test set, without training."""
    from readbench.views.rescoring import write_rescored

    write_rescored(run_dir, suite=suite, device=device, out=out, as_json=as_json)
