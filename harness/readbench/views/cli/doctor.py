"""``readbench doctor``: whether this machine can run readbench."""

from typing import Annotated

import typer


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The checks on standard output.")] = False,
) -> None:
    """Check extension, dependencies, device, models and disk."""
    from readbench.views.console.checkup import show_checkup
    from readbench.views.doctor import examine

    checks = examine()
    show_checkup(checks, as_json=as_json)
    if any(check.status == "broken" for check in checks):
        raise typer.Exit(5)
