"""``readbench requirement``: which capabilities a suite needs, by its card and by its pilots."""

import os
from typing import Annotated

import typer

from readbench.views.cli.options import OneSetting, SettingsFile, SuiteName

app = typer.Typer(help="Which capabilities a suite needs, by its card and by its pilots.", rich_markup_mode=None)


@app.command("show")
def show(
    *,
    suite: SuiteName,
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="The weights by source on standard output.")] = False,
) -> None:
    """Show the requirement by each source; pilots that are not in the cache are made first."""
    from readbench.runs.config import resolve
    from readbench.views.cli.studies import carry_out_pilots
    from readbench.views.console.requirement import show_requirement

    resolved = resolve(suite, file=config, environment=os.environ, sets=set_ or [])
    show_requirement(resolved.suite, carry_out_pilots(resolved, None, hint="the same command goes on"), as_json=as_json)
