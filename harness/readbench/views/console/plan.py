"""``readbench run --dry-run``: every setting with its origin, and what the run would cost."""

import sys
from typing import TYPE_CHECKING

from rich.filesize import decimal

from readbench.base.nested import flatten
from readbench.models.ranks import placed
from readbench.runs.config import config_document
from readbench.views.console.text import cell, console_for, duration_text, new_table, tokens_text, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from readbench.runs.config import Resolved
    from readbench.runs.plan import Plan
    from readbench.runs.planning.memory import Memory
    from readbench.teachers.spend.forecast import Forecast


def show_plan(resolved: "Resolved", plan: "Plan", *, as_json: bool) -> None:
    """On standard output, as a table or as JSON; of several ranks by the first."""
    if placed()[0] > 0:
        return
    settings = config_document(resolved.config)
    if as_json:
        document = {
            "config": settings,
            "origins": resolved.origins,
            "num_trials": len(plan.trials),
            "num_pilots": len(plan.pilots),
            "num_pilot_trials": len(plan.profiling),
            "budget_tokens": plan.budget_tokens,
            "seconds": plan.seconds,
            "memory": {part.name: part.size for part in plan.memory.parts},
            "spend": None if plan.spend is None else plan.spend.document(),
        }
        write_json(document)
        return
    table = new_table()
    for heading in ("setting", "value", "origin"):
        table.add_column(heading)
    for key, value in flatten(settings):
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(cell(key), cell(shown), cell(resolved.origins.get(key, "default"), "dim"))
    console = console_for(sys.stdout)
    console.print(table)
    cost = f"at most {tokens_text(plan.budget_tokens)} tokens charged, about {duration_text(plan.seconds)}"
    console.print(f"{len(plan.trials)} trials, {cost}; nothing was written")
    for what, specs in (("pilots", plan.pilots), ("pilot trials", plan.profiling)):
        if specs:
            tokens = sum(spec.budget_tokens for spec in specs)
            console.print(f"before them {len(specs)} {what}, at most {tokens_text(tokens)} tokens, unless the cache has them")
    console.print(_memory_table(plan.memory))
    if plan.spend is not None:
        for line in _spend_lines(plan.spend):
            console.print(cell(line), soft_wrap=True)


def _memory_table(memory: "Memory") -> "Table":
    table = new_table()
    for heading in ("memory of a trial", "size", "rests on"):
        table.add_column(heading)
    for part in memory.parts:
        table.add_row(cell(part.name), cell("?" if part.size is None else decimal(part.size)), cell(part.of, "dim"))
    table.add_row(cell("together"), cell(decimal(memory.size)), cell("at most, beside the libraries' own", "dim"))
    return table


def _spend_lines(spend: "Forecast") -> list[str]:
    lines = []
    for name, cost in (("expected", spend.expected), ("at worst", spend.worst)):
        money = spend.money(cost)
        priced = f", {money}" if money is not None else ""
        lines.append(
            f"teacher, {name}: about {tokens_text(cost.requests)} requests with {tokens_text(cost.prompt_tokens)} prompt and "
            f"{tokens_text(cost.completion_tokens)} completion tokens{priced}"
        )
    bound = f"the spend limit of {spend.limit} stops the run before" if spend.limit.is_set else "no --spend-limit is set"
    return [*lines, f"teacher: {bound}"]
