"""A trial's decisions: the state before each, the mix, and what the allocator says of it."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from readbench.views.console.text import cell, console_for, new_table, write_json

if TYPE_CHECKING:
    from readbench.trials.record.trial_file import TrialRecord

_SHOWN = 0.02  # of a mix, at least


def show_decisions(capabilities: Sequence[str], record: "TrialRecord", *, as_json: bool) -> None:
    """One row an interval; as JSON also every candidate."""
    if as_json:
        keys = ("interval", "profile_before", "requested", "allocation", "profile", "reward", "explained")
        write_json({"capabilities": list(capabilities), "intervals": [{key: each.get(key) for key in keys} for each in record.intervals]})
        return
    table = new_table()
    for heading in ("interval", "asked for", "chosen from", "expected", "± sd", "next best", "spread", "reward"):
        table.add_column(heading, justify="left" if heading in ("asked for", "chosen from") else "right")
    for each in record.intervals:
        table.add_row(str(each["interval"]), cell(_mix(capabilities, each["requested"])), *_said(each), f"{each['reward']:+.4f}")
    console = console_for(sys.stdout)
    console.print(table)
    if not any("explained" in each for each in record.intervals):
        console.print(f"{record.spec['allocator']} does not explain its decisions")
    elif scores := _projected(record):
        console.print("the scores at the end as the first and the last plan project them, and as they came")
        console.print(_scores_table(capabilities, scores, record.intervals[-1]["profile"]))


def _said(interval: Mapping[str, Any]) -> tuple[str, ...]:
    explained = interval.get("explained")
    if explained is None:
        return ("", "", "", "", "")
    predicted, chosen = np.array(explained["predicted"]), explained["chosen"]
    others = np.delete(predicted, chosen)
    label = explained["labels"][chosen] if explained["labels"] else f"{len(predicted)} candidates"
    sd = explained["sd"][chosen]
    return (
        label,
        f"{predicted[chosen]:.4f}",
        f"{sd:.4f}" if sd else "",
        f"{others.max():.4f}" if others.size else "",
        f"{np.ptp(predicted):.4f}",
    )


def _mix(capabilities: Sequence[str], mix: Sequence[float]) -> str:
    order = np.argsort(-np.array(mix), kind="stable")
    return ", ".join(f"{capabilities[c]} {mix[c]:.2f}" for c in order if mix[c] >= _SHOWN)


def _projected(record: "TrialRecord") -> list[list[float]]:
    """The scores of the first and of the last chosen plan, if the allocator projects any."""
    explained = [each["explained"] for each in record.intervals if each.get("explained")]
    return [each["scores"][each["chosen"]] for each in (explained[0], explained[-1]) if each["scores"] is not None]


def _scores_table(capabilities: Sequence[str], projected: Sequence[Sequence[float]], reached: Sequence[float]) -> Any:
    table = new_table()
    for heading in ("capability", "first plan", "last plan", "score"):
        table.add_column(heading, justify="left" if heading == "capability" else "right")
    for name, *values in zip(capabilities, *projected, reached, strict=True):
        table.add_row(cell(name), *(f"{value:.3f}" for value in values))
    return table
