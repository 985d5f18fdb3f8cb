"""``readbench plan``'s table: what a grid would take."""

import sys
from typing import TYPE_CHECKING

from rich.filesize import decimal

from readbench.views.console.text import cell, console_for, duration_text, new_table, tokens_text, write_json

if TYPE_CHECKING:
    from readbench.runs.plan import Plan
    from readbench.runs.planning.cost import Bill

_WHAT = {
    "generated": "the teacher writes",
    "trained": "the student is trained",
    "scored": "teacher or reference read",
    "rollout": "the student writes",
    "probe": "probes and dev questions",
    "eval": "the test set",
    "rest": "all else",
}


def show_bill(bill: "Bill", plan: "Plan", *, hour_price: float | None, as_json: bool) -> None:
    """On standard output, as a table or as JSON."""
    price = None if hour_price is None else bill.device_hours * hour_price
    teacher = None if plan.spend is None else plan.spend.document()
    if as_json:
        write_json({**bill.document(), "price": price, "teacher": teacher, "num_trials": len(plan.trials)})
        return
    table = new_table()
    for heading in ("work", "tokens", "device hours"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for kind, hours in bill.hours.items():
        table.add_row(cell(_WHAT[kind]), cell(tokens_text(bill.tokens[kind]) if kind in bill.tokens else ""), cell(f"{hours:,.3g}"))
    console = console_for(sys.stdout)
    console.print(table)
    made = len(plan.pilots) + len(plan.profiling)
    count = f"{len(plan.trials)} trials{f' and {made} pilots' if made else ''}"
    console.print(f"{count}: {bill.device_hours:,.3g} device hours, {duration_text(bill.wall_seconds)} on {bill.devices}")
    console.print(f"storage: {decimal(bill.storage_bytes)}" + ("" if price is None else f"; devices: {price:,.2f}"))
    if plan.spend is not None:
        money = plan.spend.money(plan.spend.expected)
        console.print(f"teacher: {tokens_text(plan.spend.expected.tokens)} tokens{f', {money}' if money else ''}")
    console.print(cell(f"rates:   {bill.source}"), soft_wrap=True)
