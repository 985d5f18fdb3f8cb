"""What is said of an updated baseline in a narrow terminal."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from readbench.views.gate.update import Update, print_update

LONG = "a/rather/long/path/of/a/baseline.json"
UPDATE = Update(path=Path(LONG), created=False, replaced=(), changes=("objective sft → other", "python 3.11 → 3.12"), num_seeds=3)


def said(update: Update) -> str:
    stream = io.StringIO()
    print_update(Console(file=stream, width=20, markup=False, highlight=False, emoji=False), update)
    return stream.getvalue()


def test_a_line_is_a_line_however_narrow_the_terminal() -> None:
    replaced = f"baseline {LONG} replaced\n"
    changed = "changed: objective sft → other; python 3.11 → 3.12\n"
    assert said(UPDATE) == replaced + changed
    assert said(replace(UPDATE, created=True, changes=())) == f"new baseline {LONG}\n"
    assert said(replace(UPDATE, changes=())) == f"baseline {LONG} is up to date: nothing changed\n"
    warned = said(replace(UPDATE, num_seeds=2)).removeprefix(replaced + changed)
    assert warned.startswith("warning: 2 seeds")
    assert warned.count("\n") == 1
