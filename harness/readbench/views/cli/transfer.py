"""``readbench transfer``: what training one capability alone does to every score."""

import os
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import OneSetting, SettingsFile, SuiteName
from readbench.views.cli.reading import token_counts


def transfer(
    *,
    suite: SuiteName,
    budgets: Annotated[str, typer.Option(metavar="A,B", help="Tokens of each training: one matrix per budget.")] = "20000,60000",
    seeds: Annotated[str, typer.Option(metavar="N", help="How many seeds (5 is 0 to 4), or which ones (3,7; one: 7,).")] = "3",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE.svg", help="Where to draw the matrices.", show_default=False)
    ] = None,
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="The matrices on standard output.")] = False,
) -> None:
    """Measure the transfer matrix: train each capability alone, and see which scores move."""
    from readbench.runs.config import parse_seeds, resolve
    from readbench.views.cli.studies import carry_out_transfer
    from readbench.views.console.studies.transfer import draw_transfer, show_transfer

    resolved = resolve(suite, file=config, environment=os.environ, sets=set_ or [])
    hint = "the same command goes on"
    matrix = carry_out_transfer(resolved, budgets=token_counts(budgets), seeds=parse_seeds(seeds), hint=hint)
    show_transfer(matrix, as_json=as_json)
    if out is not None:
        draw_transfer(matrix, out)
