"""What `--update` changes in a baseline, shown before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from readbench.results.document.model import Results
from readbench.results.stats import MIN_PAIRS, Estimate, estimate
from readbench.views.console.text import cell, new_table
from readbench.views.gate.baseline import Baseline, baseline_of, read_baseline, write_baseline
from readbench.views.gate.formats.wording import seeds_text
from readbench.views.gate.measurement import differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """One allocator's metric, where it changed."""

    allocator: str
    metric: str
    old: Estimate | None
    new: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Update:
    """Old baseline to new."""

    path: Path
    created: bool
    replaced: tuple[Replaced, ...]
    changes: tuple[str, ...]
    num_seeds: int  # of the allocator with the fewest

    def document(self) -> dict[str, Any]:
        """The update as JSON values."""
        return {
            "baseline": str(self.path),
            "created": self.created,
            "changes": list(self.changes),
            "replaced": [{"allocator": r.allocator, "metric": r.metric, "old": _json(r.old), "new": _json(r.new)} for r in self.replaced],
        }


def update_baseline(path: Path, results: Results) -> Update:
    """Writes the run's baseline; ConfigError if the file there is not a sound baseline; that file is then left alone."""
    created = not path.exists()
    new = baseline_of(results)
    old = None if created else read_baseline(path)
    update = Update(
        path=path,
        created=created,
        replaced=tuple(_replaced(old, new)),
        changes=() if old is None else differences(old.measurement | old.settings, new.measurement | new.settings),
        num_seeds=min(max(map(len, by_metric.values())) for by_metric in new.values.values()),
    )
    if created or old != new:
        write_baseline(path.resolve(), new)  # through a link, not over it
    return update


def print_update(console: Console, update: Update) -> None:
    """Which means change, and what else."""
    if update.created:
        console.print(cell(f"new baseline {update.path}"), soft_wrap=True)
    elif not update.replaced and not update.changes:
        console.print(cell(f"baseline {update.path} is up to date: nothing changed"), soft_wrap=True)
    else:
        console.print(cell(f"baseline {update.path} replaced"), soft_wrap=True)
    if update.replaced:
        table = new_table()
        for heading in ("allocator", "metric"):
            table.add_column(heading, no_wrap=True)
        for heading in ("old", "new"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in update.replaced:
            table.add_row(cell(row.allocator), cell(row.metric), _mean(row.old), _mean(row.new))
        console.print(table)
    if update.changes:
        console.print(cell(f"changed: {'; '.join(update.changes)}"), soft_wrap=True)
    if update.num_seeds < MIN_PAIRS:
        console.print(
            cell(f"warning: {seeds_text(update.num_seeds)} can only be found identical: a verdict needs {MIN_PAIRS}"), soft_wrap=True
        )


def _replaced(old: Baseline | None, new: Baseline) -> list[Replaced]:
    before = {} if old is None else old.values
    pairs = sorted({(a, m) for values in (before, new.values) for a, by_metric in values.items() for m in by_metric})
    return [
        Replaced(allocator=allocator, metric=metric, old=_estimate(before, allocator, metric), new=_estimate(new.values, allocator, metric))
        for allocator, metric in pairs
        if before.get(allocator, {}).get(metric) != new.values.get(allocator, {}).get(metric)
    ]


def _estimate(values: Mapping[str, Mapping[str, Mapping[int, float]]], allocator: str, metric: str) -> Estimate | None:
    return estimate(list(values.get(allocator, {}).get(metric, {}).values()))


def _mean(value: Estimate | None) -> str:
    return "–" if value is None else f"{value.mean:.4f} ({value.n})"


def _json(value: Estimate | None) -> dict[str, Any] | None:
    return None if value is None else {"mean": value.mean, "n": value.n}
