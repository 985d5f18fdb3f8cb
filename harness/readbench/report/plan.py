"""``readbench run --dry-run``: every setting with its origin, and what the run would cost."""

import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from readbench.config import config_document
from readbench.report.text import cell, console_for, duration_text, tokens_text, write_json

if TYPE_CHECKING:
    from readbench.config import Resolved
    from readbench.runs import Plan


def show_plan(resolved: "Resolved", plan: "Plan", *, as_json: bool) -> None:
    """On standard output, as a table or as JSON."""
    settings = config_document(resolved.config)
    if as_json:
        document = {
            "config": settings,
            "origins": resolved.origins,
            "num_trials": len(plan.trials),
            "budget_tokens": plan.budget_tokens,
            "seconds": plan.seconds,
        }
        write_json(document)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("setting", "value", "origin"):
        table.add_column(heading)
    for key, value in flatten(settings):
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(cell(key), cell(shown), cell(resolved.origins.get(key, "default"), "dim"))
    console = console_for(sys.stdout)
    console.print(table)
    cost = f"at most {tokens_text(plan.budget_tokens)} tokens charged, about {duration_text(plan.seconds)}"
    console.print(f"{len(plan.trials)} trials, {cost}; nothing was written")


def flatten(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and their values, in order."""
    rows: list[tuple[str, Any]] = []
    for key, value in settings.items():
        rows += flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows
