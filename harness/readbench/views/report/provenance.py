"""Where the numbers come from: settings, hashes, versions, hardware, commands."""

import shlex
from dataclasses import asdict
from typing import Any

from readbench.base.nested import flatten
from readbench.views.console.text import printable
from readbench.views.report.model import Fact, Group
from readbench.views.report.numbers import NOTHING
from readbench.views.report.view import View


def provenance(view: View) -> tuple[Group, ...]:
    """Groups of facts, all from the results."""
    results = view.results
    environment = {key: value for key, value in results.environment.items() if key != "command"}
    return (
        Group(heading="Settings", facts=_facts(asdict(results.config))),
        Group(heading="Content hashes", facts=_facts(asdict(results.provenance))),
        Group(heading="Machine and versions", facts=_facts(environment)),
    )


def commands(view: View) -> tuple[Fact, ...]:
    """The one that made the run, where it is known, and those that make more of it."""
    made = view.results.environment.get("command")
    run = shlex.quote(printable(view.results.run))
    known = [Fact(name="made by", value=printable(shlex.join(made)))] if made else []
    return (
        *known,
        Fact(name="compare", value=f"readbench compare {run}"),
        Fact(name="rebuild", value=f"readbench results {run}"),
        Fact(name="this page", value=f"readbench report {run}"),
    )


def _facts(values: dict[str, Any]) -> list[Fact]:
    return [Fact(name=printable(key), value=_value(value)) for key, value in flatten(values)]


def _value(value: Any) -> str:
    if value is None or value in ({}, [], ()):
        return NOTHING
    return ", ".join(map(printable, value)) if isinstance(value, (list, tuple)) else printable(value)
