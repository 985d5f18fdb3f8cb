"""``readbench suite``: a look into a suite, and a test set from its own sources."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look into a suite, or make its test set from its own sources.", rich_markup_mode=None)
Reference = Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, its folder, or its suite.yaml.")]


@app.command("show")
def show(
    suite: Reference,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON on standard output.")] = False,
) -> None:
    """Show each capability with a question of each difficulty, and what the test asks."""
    from readbench.suites.suite import load_suite
    from readbench.views.console.listing import show_suite

    show_suite(load_suite(suite, tested=False), as_json=as_json)


@app.command("test-set")
def make_test_set(
    suite: Annotated[Path, typer.Argument(metavar="FOLDER", help="A suite's folder; its test set is written into it.")],
    *,
    items: Annotated[int, typer.Option(metavar="N", min=1, help="Questions; of a joint task, items.")] = 200,
) -> None:
    """Write a test set of questions that are never taught, from the suite's own sources."""
    from readbench.runs.studies.test_set import write_test_set
    from readbench.views.console.text import write_line

    path, lines = write_test_set(suite, items)
    write_line(f"{path}: {lines} questions")
