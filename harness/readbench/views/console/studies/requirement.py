"""What pilots found, and the requirement by each source, as tables or JSON."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from readbench.api import Vector
from readbench.trials.briefing import pilot_from
from readbench.trials.record.interval import IntervalTokens
from readbench.trials.requirement.by_pilots import Inferred, infer
from readbench.views.console.text import cell, console_for, new_table, tokens_text, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from readbench.runs.studies.identifier import Skill
    from readbench.suites.suite import Suite


def show_pilots(suite: "Suite", found: Mapping[str, Any], *, as_json: bool) -> None:
    """One row per pilot: its mix and what it changed; then the requirement."""
    if as_json:
        write_json({"pilots": found["pilots"], "tokens": found["tokens"], "requirement": _document(suite, found, None)})
        return
    table = new_table()
    for heading, justify in (("pilot", "right"), ("mix", "left"), ("tokens", "right"), ("soft utility", "right"), ("utility", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for number, each in enumerate(found["pilots"]):
        order = np.argsort(-np.array(each["allocation"]), kind="stable")
        mix = ", ".join(f"{suite.capabilities[c]} {each['allocation'][c]:.2f}" for c in order if each["allocation"][c] >= 0.005)
        table.add_row(str(number), cell(mix), tokens_text(each["tokens"]), *_gains(each))
    console = console_for(sys.stdout)
    console.print(table)
    tokens = found["tokens"]
    charged = IntervalTokens(**tokens).charged
    measuring = f"{tokens_text(tokens['probe'])} probe and {tokens_text(tokens['dev'])} dev tokens"
    console.print(cell(f"{len(found['pilots'])} pilots: {tokens_text(charged)} tokens charged, {measuring}"), soft_wrap=True)
    console.print(_table(suite, found, None))


def _gains(pilot: Mapping[str, Any]) -> tuple[str, str]:
    soft, exact = (pilot[f"{kind}_after"] - pilot[f"{kind}_before"] for kind in ("soft_utility", "utility"))
    return f"{soft:+.3f}", f"{exact:+.3f}"


def show_requirement(suite: "Suite", found: Mapping[str, Any], identified: Vector | None, *, as_json: bool) -> None:
    """The requirement by each source; `identified` is None without an identifier."""
    if as_json:
        write_json(_document(suite, found, identified))
        return
    console_for(sys.stdout).print(_table(suite, found, identified))


def show_skill(skills: Sequence["Skill"], folder: Path, *, as_json: bool) -> None:
    """How well an identifier does on each suite, fitted on the others."""
    if as_json:
        write_json([asdict(skill) for skill in skills])
        return
    table = new_table()
    table.add_column("suite")
    for heading in ("identifier, fitted on the others", "card", "pilots, fitted on these"):
        table.add_column(heading, justify="right")
    for skill in skills:
        table.add_row(cell(skill.suite), *(f"{value:.2f}" for value in (skill.unseen, skill.card, skill.pilots)))
    console = console_for(sys.stdout)
    console.print(cell("share of the pilots' changes of utility that a requirement explains", "bold"), soft_wrap=True)
    console.print(table)
    console.print(cell(f"use it: readbench run --requirement identifier --set identifier={folder}"), soft_wrap=True)


def _document(suite: "Suite", found: Mapping[str, Any], identified: Vector | None) -> dict[str, dict[str, float] | None]:
    weights = _inferred(suite, found).weights
    return {
        "identifier": None if identified is None else dict(zip(suite.capabilities, identified.tolist(), strict=True)),
        "card": dict(zip(suite.capabilities, suite.requirement.tolist(), strict=True)),
        "pilots": dict(zip(suite.capabilities, weights.tolist(), strict=True)),
    }


def _inferred(suite: "Suite", found: Mapping[str, Any]) -> Inferred:
    return infer([pilot_from(each) for each in found["pilots"]], joint=suite.composition is not None)


def _table(suite: "Suite", found: Mapping[str, Any], identified: Vector | None) -> "Table":
    inferred = _inferred(suite, found)
    table = new_table()
    named = ("identifier",) if identified is not None else ()
    for heading in ("capability", "card", *named, "pilots", "standard error", "95 % interval", ""):
        table.add_column(heading, justify="left" if heading in ("capability", "") else "right")
    for c, capability in enumerate(suite.capabilities):
        table.add_row(
            cell(capability),
            f"{suite.requirement[c]:.2f}",
            *((f"{identified[c]:.2f}",) if identified is not None else ()),
            f"{inferred.weights[c]:.2f}",
            f"{inferred.standard_error[c]:.2f}",
            f"{inferred.low[c]:.2f} to {inferred.high[c]:.2f}",
            cell("vetoed: no pilot taught it to answer right" if inferred.vetoed[c] else "", "dim"),
        )
    return table
