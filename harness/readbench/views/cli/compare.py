"""``readbench compare``: which allocator (or objective, or budget) is better, by how much, and whether the seeds show it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.reading import token_count


def compare(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or their results.json; merged where several.", show_default=False),
    ],
    *,
    by: Annotated[
        str, typer.Option(metavar="AXIS", help="What is compared: allocator, objective or budget; only it may differ.")
    ] = "allocator",
    allocator: Annotated[str, typer.Option(metavar="NAME", help="Leave out the trials of all other allocators.")] = "",
    objective: Annotated[str, typer.Option(metavar="NAME", help="Leave out the trials of all other objectives.")] = "",
    budget: Annotated[
        int | None, typer.Option(metavar="TOKENS", parser=token_count, help="Leave out the trials of all other budgets.")
    ] = None,
    reference: Annotated[
        str, typer.Option(metavar="NAME", help="What the others are compared with.", show_default="uniform, sft, or the smallest budget")
    ] = "",
    allow_mismatch: Annotated[
        bool, typer.Option("--allow-mismatch", help="Merge runs that differ in more than the allocator; what differs is named.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The comparison on standard output.")] = False,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the tables as markdown.")] = None,
    latex: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the tables as LaTeX (booktabs).")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every figure as CSV.")] = None,
) -> None:
    """Compare allocators, objectives or budgets with a reference, seed by seed."""
    from readbench.base import files
    from readbench.base.errors import ConfigError, IncompleteRunError, near_match
    from readbench.results.comparison import compare as compare_results
    from readbench.results.document.reading import load
    from readbench.results.merging import AXES, Selection, merge
    from readbench.views.console import exports
    from readbench.views.console.comparison import missing_seeds, print_comparison
    from readbench.views.console.text import console_for, write_json

    axis = next((each for each in AXES if each == by), None)
    if axis is None:
        raise ConfigError(f"nothing is compared by {by!r}", hint=near_match(by, AXES))
    only = Selection(allocator=allocator, objective=objective, budget_tokens=budget)
    merged = merge([load(run_dir) for run_dir in run_dirs], by=axis, only=only, allow_mismatch=allow_mismatch)
    usual = {
        "allocator": "uniform",
        "objective": "sft",
        "budget": f"{min(trial.budget_tokens for trial in merged.results.trials):,} tokens",
    }
    comparison = compare_results(merged.results, reference=reference or usual[axis], by=axis, mismatches=merged.mismatches)
    title = f"{merged.results.suite.name} v{merged.results.suite.version}: {', '.join(map(str, run_dirs))}"
    if markdown is not None:
        files.write_bytes(markdown, exports.to_markdown(comparison, title=title))
    if latex is not None:
        files.write_bytes(latex, exports.to_latex(comparison, title=title))
    if csv is not None:
        files.write_bytes(csv, exports.to_csv(comparison))
    if as_json:
        write_json(comparison.document())
    else:
        print_comparison(console_for(sys.stdout), comparison, title=title)
    missing = missing_seeds(comparison)
    if missing:
        raise IncompleteRunError(f"seeds are missing: {missing[0]}", hint="resume the run, or run the same seeds for all allocators")
