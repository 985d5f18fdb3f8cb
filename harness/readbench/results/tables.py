"""Long tables of a results document: one row per trial × metric, and one per interval × capability.

Every trial has a row for every metric: the value of one that is not complete is missing, and ``status`` says why. Units are those of
results.json (docs/results-schema.md). Works on merged documents as well.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from readbench.base import files
from readbench.suites.metric_names import PROFILE, metrics_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet runs a text that begins so
_TOKENS = ("generated", "trained", "probe", "dev", "eval")
_SECONDS = ("total", "teacher", "train", "probe", "eval", "allocator")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of one trial."""

    run: str
    suite: str
    suite_version: int
    trial: str  # its id
    allocator: str
    params: str  # of the allocator, as JSON
    objective: str
    seed: int
    budget_tokens: int
    status: str
    metric: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRow:
    """One capability in one interval of one trial; the last four columns are the interval's own, the same for each capability."""

    run: str
    suite: str
    suite_version: int
    trial: str
    allocator: str
    params: str
    seed: int
    status: str
    interval: int  # 0-based
    capability: str
    requested: float  # share that the allocator asked for
    allocation: float  # share of the tokens that were charged
    examples: int
    train_loss: float | None  # nats a label token; None where nothing was taught
    profile_before: float | None  # None before the first interval of a trial that is not complete
    profile: float
    exact_match: float
    tokens_charged: int  # in this interval
    dev_utility: float
    reward: float
    epsilon: float


Row = MetricRow | IntervalRow


def metric_names(capabilities: Sequence[str]) -> tuple[str, ...]:
    """The metrics of a trial, in the table's order: those that are compared first, then what explains them."""
    explaining = [f"{name}.{c}" for name in ("profile_before", "exact_match_before", "exact_match", "allocation") for c in capabilities]
    counts = [*(f"tokens.{kind}" for kind in _TOKENS), *(f"seconds.{phase}" for phase in _SECONDS)]
    return (*(metric.name for metric in metrics_of(capabilities)), "utility_before", "dev_utility_before", *explaining, *counts)


def metric_rows(document: Mapping[str, Any]) -> list[MetricRow]:
    """Trials × metrics."""
    names = metric_names(document["suite"]["capabilities"])
    rows = []
    for trial in document["trials"]:
        values = dict(_values(trial)) if trial["status"] == "complete" else {}
        own = {key: trial[key] for key in ("objective", "budget_tokens")}
        rows += [MetricRow(**_common(document, trial), **own, metric=name, value=values.get(name)) for name in names]
    return rows


def interval_rows(document: Mapping[str, Any]) -> list[IntervalRow]:
    """Trials × committed intervals × capabilities, of trials that are not complete too."""
    return [row for trial in document["trials"] for row in _intervals(document, trial)]


def _intervals(document: Mapping[str, Any], trial: Mapping[str, Any]) -> Iterator[IntervalRow]:
    before = {} if trial["profile"] is None else trial["profile"]["before"]
    for record in trial["intervals"]:
        whole = {key: record[key] for key in ("interval", "dev_utility", "reward", "epsilon")}
        charged = record["tokens"]["generated"] + record["tokens"]["trained"]
        for capability in document["suite"]["capabilities"]:
            by_capability = ("requested", "allocation", "examples", "train_loss", "profile", "exact_match")
            own = {key: record[key][capability] for key in by_capability}
            yield IntervalRow(
                **_common(document, trial),
                **whole,
                **own,
                capability=capability,
                profile_before=before.get(capability),
                tokens_charged=charged,
            )
        before = record["profile"]


def _common(document: Mapping[str, Any], trial: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": document["run"],
        "suite": document["suite"]["name"],
        "suite_version": document["suite"]["version"],
        "trial": trial["id"],
        "params": json.dumps(trial["params"], sort_keys=True),
        **{key: trial[key] for key in ("allocator", "seed", "status")},
    }


def _values(trial: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """A complete trial's values by metric."""
    yield from trial["metrics"].items()
    yield "dev_utility_before", trial["dev_utility_before"]
    for name, when in (("profile", "after"), ("profile", "before"), ("exact_match", "after"), ("exact_match", "before")):
        prefix = PROFILE if (name, when) == ("profile", "after") else f"{name}{'_before' if when == 'before' else ''}."
        yield from ((prefix + capability, value) for capability, value in trial[name][when].items())
    for group in ("allocation", "tokens", "seconds"):
        yield from ((f"{group}.{name}", value) for name, value in trial[group].items())


def write_csv(document: Mapping[str, Any], folder: Path) -> None:
    """``metrics.csv`` and ``intervals.csv``; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    for name, kind, rows in _tables(document):
        columns = [field.name for field in fields(kind)]
        files.write_bytes(folder / f"{name}.csv", csv_bytes(columns, map(asdict, rows)))


def write_parquet(document: Mapping[str, Any], folder: Path) -> None:
    """``metrics.parquet`` and ``intervals.parquet``, with the columns' types, also where a column is empty."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[Any, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64(), float | None: pa.float64()}
    for name, kind, rows in _tables(document):
        schema = pa.schema([pa.field(field.name, types[field.type]) for field in fields(kind)])
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), content)
        files.write_bytes(folder / f"{name}.parquet", content.getvalue())


def _tables(document: Mapping[str, Any]) -> tuple[tuple[str, type[Row], Sequence[Row]], ...]:
    return ("metrics", MetricRow, metric_rows(document)), ("intervals", IntervalRow, interval_rows(document))


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A header and the rows' values in the order of `columns`; None is an empty cell, a list or a mapping JSON text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180; with "\n" a lone "\r" in a cell would not be quoted (before Python 3.13)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(value, sort_keys=True)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
