"""``readbench doctor``: whether this machine can run readbench."""

from typing import Annotated

import typer


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The checks on standard output.")] = False,
) -> None:
    """Check extension, dependencies, device, models and disk."""
    from readbench.doctor import examine
    from readbench.report.checkup import show_checkup

    checks = examine()
    show_checkup(checks, as_json=as_json)
    if any(check.status == "broken" for check in checks):
        raise typer.Exit(5)
