"""``readbench pilot``: short trainings on random sparse mixes, and the requirement that they infer."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import OneSetting, SettingsFile, SuiteName
from readbench.views.cli.reading import token_count


def pilot(
    *,
    suite: SuiteName,
    num: Annotated[int | None, typer.Option(metavar="N", help="How many pilots.")] = None,
    tokens: Annotated[
        int | None,
        typer.Option(metavar="TOKENS", parser=token_count, help="What each may charge: tokens generated, trained, scored and rolled out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A run directory: readbench run --out DIR continues it.", show_default=False)
    ] = None,
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="The pilots and the requirements on standard output.")] = False,
) -> None:
    """Make a suite's pilots, and show which capabilities they say it needs."""
    from readbench.runs.config import resolve
    from readbench.runs.plan import default_run_dir
    from readbench.views.cli.studies import carry_out_pilots
    from readbench.views.console.studies.requirement import show_pilots

    flags = {key: value for key, value in (("pilots.num", num), ("pilots.tokens", tokens)) if value is not None}
    names = {"pilots.num": "num", "pilots.tokens": "tokens"}
    resolved = resolve(suite, file=config, environment=os.environ, flags=flags, flag_names=names, sets=set_ or [])
    run_dir = out if out is not None else default_run_dir(resolved)
    again = f"readbench pilot --suite {shlex.quote(suite)} --out {shlex.quote(str(run_dir))}, with the same settings"
    show_pilots(resolved.suite, carry_out_pilots(resolved, run_dir, hint=f"go on with: {again}"), as_json=as_json)
