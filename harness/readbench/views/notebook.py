"""A run in a notebook: its results as pandas frames, and its comparison as a table (docs/notebook.md).

The only module that imports pandas. Whatever is shown as HTML is escaped: names come from plug-ins and folders.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from readbench.results import comparison, tables
from readbench.results.document import reading
from readbench.results.document.model import Results
from readbench.results.merging import Axis, Selection, merge
from readbench.results.stats import Estimate
from readbench.results.summary import Summary, summarise
from readbench.suites.metric_names import METRICS
from readbench.views.console.closing import verdict
from readbench.views.console.comparison import by_family, cells, columns, heading, notes
from readbench.views.console.text import printable


def load(*paths: str | Path, allow_mismatch: bool = False) -> "Run":
    """A run directory or a results.json; several become one run, where nothing but their grids differs between them.

    ConfigError where one cannot be read or they do not belong together (`allow_mismatch` combines them anyway).
    """
    return Run(*(reading.load(Path(path)) for path in paths), allow_mismatch=allow_mismatch)


class Run:
    """What a run, or several as one, measured; its frames are made when they are first asked for."""

    def __init__(self, *runs: Results, allow_mismatch: bool = False) -> None:
        self._runs = runs
        self._allow_mismatch = allow_mismatch
        self._shown = merge(runs, allow_mismatch=allow_mismatch).results  # with the contestants' names
        self.results = runs[0] if len(runs) == 1 else self._shown

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per trial × metric (docs/results-schema.md); the value of a trial that is not complete is missing."""
        return _frame(tables.MetricRow, tables.metric_rows(self.results))

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """One row per trial × interval × capability."""
        return _frame(tables.IntervalRow, tables.interval_rows(self.results))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial, its metrics as columns."""
        keys = [name for name in _columns(tables.MetricRow) if name not in ("metric", "value")]
        wide = self.metrics.pivot(index=keys, columns="metric", values="value").reset_index().rename_axis(columns=None)
        order = {trial.id: place for place, trial in enumerate(self.results.trials)}
        wide = wide.sort_values("trial", key=lambda ids: ids.map(order), ignore_index=True)
        return wide[[*keys, *tables.metric_names(self.results.suite.capabilities)]]

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """What won and by how much, in the words of a run's last lines."""
        return tuple(verdict(self._summary))

    def compare(
        self, reference: str = "uniform", *, by: Axis = "allocator", allocator: str = "", objective: str = "", budget: int | None = None
    ) -> "ComparedRun":
        """Every other allocator, or objective or budget (``60,000 tokens``), against the reference, seed by seed (docs/statistics.md).

        The others are the trials of one `allocator`, `objective` or `budget` where they are named: only what is compared may differ.
        """
        only = Selection(allocator=allocator, objective=objective, budget_tokens=budget)
        merged = merge(self._runs, by=by, only=only, allow_mismatch=self._allow_mismatch)
        return ComparedRun(comparison.compare(merged.results, reference=reference, by=by, mismatches=merged.mismatches))

    @cached_property
    def _summary(self) -> Summary:
        return summarise(self._shown)

    def __repr__(self) -> str:
        done = f"{len(self.results.complete)} of {len(self.results.trials)} trials complete"
        return f"<readbench run {self.results.run!r}: {self._summary.suite}, {done}>"

    def _repr_html_(self) -> str:
        summary = self._summary
        head = ("allocator", "seeds", *METRICS)
        rows = [(a.name, str(len(a.seeds)), *(_mean(a.metric(name)) for name in METRICS)) for a in summary.allocators]
        unfinished = [f"{u.allocator}, seed {u.seed}: {u.status}{f' ({u.reason})' if u.reason else ''}" for u in summary.unfinished]
        title = f"<p><b>{escape(printable(self.results.run))}</b>, {escape(summary.suite)}, means over seeds</p>"
        return title + _table(head, rows) + _list(self.verdict) + _list(unfinished)


@dataclass(frozen=True)
class ComparedRun:
    """A comparison that a notebook shows as a table; `result` holds it with its aggregates."""

    result: comparison.Comparison

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per candidate × metric, unrounded."""
        return _frame(comparison.Row, self.result.rows)

    def __repr__(self) -> str:
        candidates = dict.fromkeys(row.candidate for row in self.result.rows)
        return f"<comparison of {', '.join(candidates)} with {self.result.reference}: {len(self.result.rows)} rows>"

    def _repr_html_(self) -> str:
        parts = []
        for family, rows in by_family(self.result.rows).items():
            parts += [f"<p>{escape(heading(self.result, family))}</p>", _table(columns(self.result), [cells(row) for row in rows])]
        return "".join(parts) + _list(notes(self.result))


def _mean(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.mean:.3f}"


def _columns(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


def _frame(kind: type[Any], rows: Sequence[Any]) -> pd.DataFrame:
    """Dataclasses as rows; a number that may be missing is a float column, also where all are."""
    numbers = {field.name: "float64" for field in fields(kind) if field.type == float | None}
    return pd.DataFrame(map(asdict, rows), columns=_columns(kind)).astype(numbers)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(printable(text))}</td>' for text in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(printable(line))}</li>' for line in lines)}</ul>" if lines else ""
