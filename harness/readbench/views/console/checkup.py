"""What `readbench doctor` and `readbench lab check` found, as tables or JSON."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from readbench.views.console.text import cell, console_for, new_table, write_json

if TYPE_CHECKING:
    from readbench.views.doctor import Check

STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red"}


def show_checkup(checks: Sequence["Check"], *, as_json: bool) -> None:
    """One row per check: what it checks, whether it passed, the detail, and what to do."""
    if as_json:
        write_json({"checks": [asdict(check) for check in checks]})
        return
    table = new_table()
    for heading in ("check", "", "detail"):
        table.add_column(heading)
    for check in checks:
        detail = f"{check.detail}; {check.hint}" if check.hint else check.detail
        table.add_row(check.name, cell(check.status, STYLES[check.status]), cell(detail))
    console_for(sys.stdout).print(table)


def show_lab(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Exact match in [0, 1] by capability and difficulty."""
    if as_json:
        write_json({"rows": list(rows)})
        return
    table = new_table()
    for heading in ("capability", "difficulty"):
        table.add_column(heading)
    for heading in ("n", "teacher", "student"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(cell(row["capability"]), cell(row["difficulty"]), str(row["n"]), f"{row['teacher']:.3f}", f"{row['student']:.3f}")
    console_for(sys.stdout).print(table)
