"""``readbench lab``: the embedded teacher and student, rebuilt or measured."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The embedded teacher and student: rebuild or measure them.", rich_markup_mode=None)


@app.command("build")
def build(
    out: Annotated[Path, typer.Argument(metavar="[OUT]", help="Where the two model folders go.")] = Path("lab"),
) -> None:
    """Train the lab's teacher and student from nothing (a quarter of an hour on two cores)."""
    from readbench.runs.studies.lab import build as build_pair

    build_pair(out)


@app.command("check")
def check(
    *,
    teacher: Annotated[str, typer.Option(metavar="MODEL", help="A model reference.")] = "lab/teacher",
    student: Annotated[str, typer.Option(metavar="MODEL", help="A model reference.")] = "lab/student",
    questions: Annotated[int, typer.Option(metavar="N", min=1, help="Per capability and difficulty.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="The rows on standard output.")] = False,
) -> None:
    """Measure both models' exact match by capability and difficulty."""
    from readbench.runs.studies.lab import check as check_pair
    from readbench.views.console.checkup import show_lab

    show_lab([asdict(row) for row in check_pair(teacher, student, n=questions)], as_json=as_json)
