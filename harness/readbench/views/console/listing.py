"""``readbench list``: plug-ins, their parameters and where they come from; ``readbench suite show``: a look into a suite."""

import random
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from readbench.api import DIFFICULTIES, Kind
from readbench.base.plugins import Registered, registry
from readbench.base.seeds import derive_seed
from readbench.suites.splits import LEVELS
from readbench.views.console.text import cell, console_for, new_table, write_json, write_line

if TYPE_CHECKING:
    from readbench.suites.suite import Suite

KINDS: dict[str, Kind] = {
    "suites": "suite",
    "sources": "source",
    "allocators": "allocator",
    "objectives": "objective",
    "teachers": "teacher",
    "trackers": "tracker",
    "verifiers": "verifier",
}


def show_plugins(what: str, *, as_json: bool) -> None:
    """On standard output; modules that could not be imported are named on standard error."""
    found = registry()
    for broken in found.broken:
        write_line(f"warning: {broken}")
    rows = [_record(name, registered) for name, registered in found.plugins(KINDS[what]).items()]
    if as_json:
        write_json(rows)
        return
    table = new_table()
    table.add_column("name", no_wrap=True)
    for heading in ("what it is", "parameters", "from"):
        table.add_column(heading)
    for row in rows:
        parameters = ", ".join(f"{name}={parameter['default']}" for name, parameter in row["parameters"].items())
        table.add_row(cell(row["name"]), cell(row["summary"]), cell(parameters), cell(row["source"], "dim"))
    console_for(sys.stdout).print(table)


def show_suite(suite: "Suite", *, as_json: bool) -> None:
    """Each capability with its weight in the task and a question of each difficulty."""
    rows = []
    for name, weight, source in zip(suite.capabilities, suite.requirement, suite.sources(), strict=True):
        for level in LEVELS:
            question = source.sample(random.Random(derive_seed("shown", suite.name, name, level)), level)
            rows.append({"capability": name, "weight": float(weight), "difficulty": DIFFICULTIES[level], **asdict(question)})
    if as_json:
        write_json(rows)
        return
    console = console_for(sys.stdout)
    for row in rows:
        needed = f"{row['weight']:.0%} of the task" if row["weight"] else "not in the task"
        console.print(cell(f"{row['capability']} ({needed}), {row['difficulty']}, verifier {row['verifier']}", "bold"), soft_wrap=True)
        for key in ("prompt", "answer"):
            for line in row[key].splitlines():
                console.print(cell(f"  {line}", "" if key == "prompt" else "green"), soft_wrap=True)


def _record(name: str, registered: Registered) -> dict[str, Any]:
    plugin = registered.plugin
    return {
        "name": name,
        "summary": plugin.summary,
        "parameters": {p.name: {"type": p.annotation.__name__, "default": p.default} for p in plugin.parameters.values()},
        "source": registered.distribution,
    }
