"""``readbench list``: what is installed, from every distribution that registers plug-ins."""

from enum import StrEnum
from typing import Annotated

import typer


class Listed(StrEnum):
    """What can be listed."""

    SUITES = "suites"
    SOURCES = "sources"
    ALLOCATORS = "allocators"
    OBJECTIVES = "objectives"
    TEACHERS = "teachers"
    TRACKERS = "trackers"
    VERIFIERS = "verifiers"


def list_plugins(
    what: Annotated[Listed, typer.Argument(metavar="suites|sources|allocators|objectives|teachers|trackers|verifiers", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects with name, summary, parameters and source.")] = False,
) -> None:
    """List the installed suites, sources, allocators, objectives, teachers, trackers or verifiers."""
    from readbench.views.console.listing import show_plugins

    show_plugins(what.value, as_json=as_json)
