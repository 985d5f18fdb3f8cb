"""Options that several commands have, and long ones of one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readbench.views.cli.reading import token_counts

if TYPE_CHECKING:
    from readbench.api import Kind


def names_of(kind: "Kind") -> Callable[[str], list[str]]:
    """Completes the names of plug-ins, also the last of a list with commas."""

    def complete(incomplete: str) -> list[str]:
        from readbench.base.plugins import registry

        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in sorted(registry().plugins(kind)) if name.startswith(last)]

    return complete


SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        metavar="NAME",
        help="A suite's name (readbench list suites) or the path of a suite.yaml.",
        autocompletion=names_of("suite"),
    ),
]
AllocatorNames = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        help="Which allocators compete (readbench list allocators); repeatable.",
        autocompletion=names_of("allocator"),
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in YAML, below flags and READBENCH_... variables.")
]
OneSetting = Annotated[list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, by its dotted key; repeatable.")]

Executor = Annotated[str | None, typer.Option(metavar="NAME", help="Where trials run: pool, inline or ray.")]
RayAddress = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="The Ray cluster (auto, HOST:PORT); one is started here if not given.")
]
OnlyTrial = Annotated[str | None, typer.Option(metavar="I/N", help="Only the I-th of N parts of the grid, in a run directory of its own.")]
StoragePlace = Annotated[
    str | None, typer.Option(metavar="PLACE", help="With Ray: the folder or URL that all nodes share; the run directory if not given.")
]
Budgets = Annotated[
    Any,
    typer.Option(
        "--budget",
        "--budgets",
        parser=token_counts,
        metavar="TOKENS",
        help="What each trial may charge: tokens generated, trained, scored and rolled out (1e6); or several (3e4,6e4).",
    ),
]
ObjectiveNames = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        "--objectives",
        metavar="A,B",
        help="Training losses (readbench list objectives); repeatable.",
        autocompletion=names_of("objective"),
    ),
]
Requirement = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="Where r comes from: card (the suite's weights), or pilots, which infer it.")
]
