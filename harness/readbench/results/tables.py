"""Long tables of results: one row per trial × metric, and one per interval × capability.

Every trial has a row for every metric: an incomplete trial has no value, and ``status`` says why. Units are those of
results.json (docs/results-schema.md). Works on merged results too.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from readbench.base import files
from readbench.results.document.model import CompleteTrial, Results, TrialResult
from readbench.suites.metric_names import PROFILE, metrics_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet runs text that begins with one of these
_TOKENS = ("generated", "trained", "scored", "rollout", "probe", "dev", "eval", "pilot")
_SECONDS = ("total", "teacher", "train", "probe", "eval", "allocator", "rollout")


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
    """One capability in one interval of one trial; the last four columns belong to the interval and are the same for each capability."""

    run: str
    suite: str
    suite_version: int
    trial: str
    allocator: str
    params: str
    objective: str
    seed: int
    budget_tokens: int
    status: str
    interval: int  # 0-based
    capability: str
    requested: float  # share that the allocator asked for
    allocation: float  # share of the tokens that were charged
    examples: int
    verified: int | None  # examples whose answer by the teacher is right; None in older results
    train_loss: float | None  # nats a label token; None if nothing was taught
    profile_before: float | None  # None before the first interval of an incomplete trial
    profile: float
    exact_match: float
    tokens_charged: int  # in this interval
    dev_utility: float | None  # None where it was not measured
    reward: float
    epsilon: float


Row = MetricRow | IntervalRow


def metric_names(capabilities: Sequence[str]) -> tuple[str, ...]:
    """The metrics of a trial, in the table's order: first those that are compared, then those that explain them."""
    explaining = [f"{name}.{c}" for name in ("profile_before", "exact_match_before", "exact_match", "allocation") for c in capabilities]
    counts = [*(f"tokens.{kind}" for kind in _TOKENS), *(f"seconds.{phase}" for phase in _SECONDS)]
    return (
        *(metric.name for metric in metrics_of(capabilities)),
        "step_accuracy",
        "utility_before",
        "dev_utility_before",
        *explaining,
        *counts,
    )


def metric_rows(results: Results) -> list[MetricRow]:
    """Trials × metrics."""
    names = metric_names(results.suite.capabilities)
    rows = []
    for trial in results.trials:
        values = dict(_values(trial)) if isinstance(trial, CompleteTrial) else {}
        rows += [
            MetricRow(
                **_common(results, trial),
                metric=name,
                value=values.get(name),
            )
            for name in names
        ]
    return rows


def interval_rows(results: Results) -> list[IntervalRow]:
    """Trials × committed intervals × capabilities, including incomplete trials."""
    return [row for trial in results.trials for row in _intervals(results, trial)]


def _intervals(results: Results, trial: TrialResult) -> Iterator[IntervalRow]:
    before = {} if trial.profile is None else trial.profile.before
    for interval in trial.intervals:
        for capability in results.suite.capabilities:
            yield IntervalRow(
                **_common(results, trial),
                interval=interval.interval,
                capability=capability,
                requested=interval.requested[capability],
                allocation=interval.allocation[capability],
                examples=interval.examples[capability],
                verified=None if interval.verified is None else interval.verified[capability],
                train_loss=interval.train_loss[capability],
                profile_before=before.get(capability),
                profile=interval.profile[capability],
                exact_match=interval.exact_match[capability],
                tokens_charged=interval.tokens.charged,
                dev_utility=interval.dev_utility,
                reward=interval.reward,
                epsilon=interval.epsilon,
            )
        before = interval.profile


def _common(results: Results, trial: TrialResult) -> dict[str, Any]:
    return {
        "run": results.run,
        "suite": results.suite.name,
        "suite_version": results.suite.version,
        "trial": trial.id,
        "params": json.dumps(trial.params, sort_keys=True),
        "allocator": trial.allocator,
        "objective": trial.objective,
        "budget_tokens": trial.budget_tokens,
        "seed": trial.seed,
        "status": trial.status,
    }


def _values(trial: CompleteTrial) -> Iterator[tuple[str, float]]:
    """A complete trial's values by metric."""
    yield from asdict(trial.metrics).items()
    yield "dev_utility_before", trial.dev_utility_before
    for prefix, values in (
        (PROFILE, trial.profile.after),
        ("profile_before.", trial.profile.before),
        ("exact_match.", trial.exact_match.after),
        ("exact_match_before.", trial.exact_match.before),
        ("allocation.", trial.allocation),
        ("tokens.", asdict(trial.tokens)),
        ("seconds.", asdict(trial.seconds)),
    ):
        yield from ((prefix + name, value) for name, value in values.items())


def write_csv(results: Results, folder: Path) -> None:
    """``metrics.csv`` and ``intervals.csv``; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    for name, kind, rows in _tables(results):
        columns = [field.name for field in fields(kind)]
        files.write_bytes(folder / f"{name}.csv", csv_bytes(columns, map(asdict, rows)))


def write_parquet(results: Results, folder: Path) -> None:
    """``metrics.parquet`` and ``intervals.parquet``, with the columns' types, even if a column is empty."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[Any, Any] = {str: pa.string(), int: pa.int64(), int | None: pa.int64(), float: pa.float64(), float | None: pa.float64()}
    for name, kind, rows in _tables(results):
        schema = pa.schema([pa.field(field.name, types[field.type]) for field in fields(kind)])
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), content)
        files.write_bytes(folder / f"{name}.parquet", content.getvalue())


def _tables(results: Results) -> tuple[tuple[str, type[Row], Sequence[Row]], ...]:
    return ("metrics", MetricRow, metric_rows(results)), ("intervals", IntervalRow, interval_rows(results))


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
