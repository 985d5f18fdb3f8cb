"""``readbench list``: plug-ins with their parameters and the distribution that brings them."""

import sys
from typing import Any

from readbench.api import Kind
from readbench.base.plugins import Registered, registry
from readbench.views.console.text import cell, console_for, new_table, write_json, write_line

KINDS: dict[str, Kind] = {
    "suites": "suite",
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


def _record(name: str, registered: Registered) -> dict[str, Any]:
    plugin = registered.plugin
    return {
        "name": name,
        "summary": plugin.summary,
        "parameters": {p.name: {"type": p.annotation.__name__, "default": p.default} for p in plugin.parameters.values()},
        "source": registered.distribution,
    }
