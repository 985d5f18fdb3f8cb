"""``readbench requirement``: which capabilities a suite needs, by its card, by its pilots, and by an identifier."""

import os
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import OneSetting, SettingsFile, SuiteName

app = typer.Typer(help="Which capabilities a suite needs, by its card, its pilots, or an identifier.", rich_markup_mode=None)


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
    from readbench.views.console.studies.requirement import show_requirement

    resolved = resolve(suite, file=config, environment=os.environ, sets=set_ or [])
    weights = None
    if resolved.config.identifier:
        from readbench.runs.studies.identifier import identified
        from readbench.trials.requirement.known import check_identifier

        folder = Path(resolved.config.identifier)
        check_identifier(folder, resolved.suite.capabilities)
        weights = identified(folder, resolved.suite)
    found = carry_out_pilots(resolved, None, hint="the same command goes on")
    show_requirement(resolved.suite, found, weights, as_json=as_json)


@app.command("fit")
def fit(
    *,
    suites: Annotated[str, typer.Option("--suites", metavar="SUITE,...", help="Whose pilots and cards it learns from.")],
    encoder: Annotated[str, typer.Option(metavar="MODEL", help="A sentence encoder: a folder or a hub id.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the identifier goes.")],
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="How well it does on suites left out, on standard output.")] = False,
) -> None:
    """Fit an identifier that reads a requirement from a card; pilots that are not in the cache are made first."""
    from readbench.runs.config import resolve
    from readbench.runs.studies.identifier import check_fit, fit_identifier
    from readbench.views.cli.studies import carry_out_pilots
    from readbench.views.console.studies.requirement import show_skill

    resolved = [resolve(name, file=config, environment=os.environ, sets=set_ or []) for name in suites.split(",")]
    check_fit([each.suite for each in resolved], encoder)
    found = [carry_out_pilots(each, None, hint="the same command goes on") for each in resolved]
    identifier, skills = fit_identifier([each.suite for each in resolved], found, encoder=encoder)
    identifier.save(out)
    show_skill(skills, out, as_json=as_json)
