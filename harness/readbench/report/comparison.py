"""`readbench compare`: the mean of every metric and the paired mean difference to a reference allocator."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from readbench.errors import ConfigError, near_match
from readbench.report.summary import METRICS, Summary
from readbench.report.text import cell
from readbench.stats import MIN_PAIRS, paired_difference


def compare(summary: Summary, *, reference: str) -> list[dict[str, Any]]:
    """One record per allocator and metric: means, difference to the reference over the shared seeds, and its interval."""
    by_name = {allocator.name: allocator for allocator in summary.allocators}
    if reference not in by_name:
        raise ConfigError(f"the run has no complete trial of the reference {reference!r}", hint=near_match(reference, by_name))
    records = []
    for allocator in summary.allocators:
        for metric in METRICS:
            value = allocator.metric(metric)
            if value is None:
                continue
            difference = paired_difference(allocator.by_seed[metric], by_name[reference].by_seed[metric])
            interval = difference.interval if difference is not None else None
            records.append(
                {
                    "allocator": allocator.name,
                    "reference": reference,
                    "metric": metric,
                    "mean": value.mean,
                    "sd": value.sd,
                    "difference": difference.mean if difference is not None else None,
                    "interval": list(interval) if interval is not None else None,
                    "pairs": difference.n if difference is not None else 0,
                }
            )
    return records


def print_comparison(console: Console, records: list[dict[str, Any]], *, title: str) -> None:
    """One table: rows are allocators × metrics."""
    reference = records[0]["reference"]
    console.print(cell(title, "bold"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("metric", "allocator"):
        table.add_column(heading, no_wrap=True)
    for heading in ("mean", "sd", f"difference to {reference}", "95 % interval", "pairs"):
        table.add_column(cell(heading), justify="right")
    for metric in METRICS:
        for record in [r for r in records if r["metric"] == metric]:
            is_reference = record["allocator"] == reference
            table.add_row(
                metric,
                cell(record["allocator"]),
                f"{record['mean']:.4f}",
                "–" if record["sd"] is None else f"{record['sd']:.4f}",
                "reference" if is_reference else _signed(record["difference"]),
                "" if is_reference else _interval(record["interval"]),
                str(record["pairs"]),
                end_section=record["allocator"] == records[-1]["allocator"],
            )
    console.print(table)
    if any(r["interval"] is None for r in records):
        console.print(cell(f"No interval is given below {MIN_PAIRS} shared seeds."))


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}"


def _interval(interval: list[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"
