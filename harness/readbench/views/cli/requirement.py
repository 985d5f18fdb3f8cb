"""``readbench requirement``: which capabilities a suite needs, by its card and by its pilots."""

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Which capabilities a suite needs, by its card and by its pilots.", rich_markup_mode=None)


@app.command("show")
def show(
    *,
    suite: Annotated[str, typer.Option(metavar="NAME", help="A suite's name (readbench list suites) or the path of a suite.yaml.")],
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in YAML, as for readbench run.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, by its dotted key; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The weights by source on standard output.")] = False,
) -> None:
    """Show the requirement by each source; pilots that are not in the cache are made first."""
    from readbench.runs.config import resolve
    from readbench.runs.plan import plan
    from readbench.runs.studies.pilots import work_folder
    from readbench.views.cli.interruption import interruptible
    from readbench.views.cli.studies import carry_out_pilots
    from readbench.views.console.requirement import show_requirement

    resolved = resolve(suite, file=config, environment=os.environ, sets=set_ or [])
    with interruptible("the same command goes on"):
        found = carry_out_pilots(work_folder(resolved.hash(), plan(resolved, piloted=True).provenance), resolved)
    show_requirement(resolved.suite, found, as_json=as_json)
