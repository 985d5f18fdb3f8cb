"""What pilots found, and the requirement by each source, as tables or JSON."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from readbench.trials.briefing import pilot_from
from readbench.trials.requirement import Inferred, infer
from readbench.views.console.text import cell, console_for, new_table, tokens_text, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from readbench.suites.suite import Suite


def show_pilots(suite: "Suite", found: Mapping[str, Any], *, as_json: bool) -> None:
    """One row per pilot: its mix and what it changed; then the requirement."""
    if as_json:
        write_json({"pilots": found["pilots"], "tokens": found["tokens"], "requirement": _document(suite, found)})
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
    charged = tokens["generated"] + tokens["trained"]
    measuring = f"{tokens_text(tokens['probe'])} probe and {tokens_text(tokens['dev'])} dev tokens"
    console.print(cell(f"{len(found['pilots'])} pilots: {tokens_text(charged)} tokens charged, {measuring}"), soft_wrap=True)
    console.print(_table(suite, found))


def _gains(pilot: Mapping[str, Any]) -> tuple[str, str]:
    soft, exact = (pilot[f"{kind}_after"] - pilot[f"{kind}_before"] for kind in ("soft_utility", "utility"))
    return f"{soft:+.3f}", f"{exact:+.3f}"


def show_requirement(suite: "Suite", found: Mapping[str, Any], *, as_json: bool) -> None:
    """The requirement by each source."""
    if as_json:
        write_json(_document(suite, found))
        return
    console_for(sys.stdout).print(_table(suite, found))


def _document(suite: "Suite", found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    weights = _inferred(suite, found).weights
    return {
        "card": dict(zip(suite.capabilities, suite.requirement.tolist(), strict=True)),
        "pilots": dict(zip(suite.capabilities, weights.tolist(), strict=True)),
    }


def _inferred(suite: "Suite", found: Mapping[str, Any]) -> Inferred:
    return infer([pilot_from(each) for each in found["pilots"]], joint=suite.composition is not None)


def _table(suite: "Suite", found: Mapping[str, Any]) -> "Table":
    inferred = _inferred(suite, found)
    table = new_table()
    for heading in ("capability", "card", "pilots", "standard error", "95 % interval", ""):
        table.add_column(heading, justify="left" if heading in ("capability", "") else "right")
    for c, capability in enumerate(suite.capabilities):
        table.add_row(
            cell(capability),
            f"{suite.requirement[c]:.2f}",
            f"{inferred.weights[c]:.2f}",
            f"{inferred.standard_error[c]:.2f}",
            f"{inferred.low[c]:.2f} to {inferred.high[c]:.2f}",
            cell("vetoed: no pilot taught it to answer right" if inferred.vetoed[c] else "", "dim"),
        )
    return table
