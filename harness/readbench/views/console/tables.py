"""The final tables: one row per allocator, and the profile before and after with the allocation per capability.

Every number is a mean over the complete seeds, ± its sample standard deviation where there are two or more. Utility, profile
and their changes are scores in [0, 1]; waste and allocations are shares; overhead is what measuring cost beside the budget.
"""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from readbench.results.stats import Estimate
from readbench.results.summary import AllocatorSummary, Summary
from readbench.views.console.closing import budgets_text
from readbench.views.console.text import UNBOUNDED_COLUMNS, cell, new_table, printable, tokens_text

# Metric, heading, and whether the higher mean is the better one.
COLUMNS = (
    ("utility", "utility", True),
    ("utility_gain", "gain", True),
    ("spillover", "spillover", False),
    ("collateral", "collateral", False),
    ("waste", "waste", False),
)
OVERHEAD = ("probe", "dev", "eval")  # tokens that measuring took, outside the budget; pilots come beside them, once for all trials
COLUMN_WIDTH = 16  # of an allocator in the profile table: a name of 14 characters and what parts it from the next
FIXED_WIDTH = 38  # of the capability, requirement and before columns there


def print_tables(console: Console, summary: Summary) -> None:
    """Both tables, and the trials that have no result."""
    if summary.allocators:
        num_seeds = max(len(a.seeds) for a in summary.allocators)
        seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
        _heading(console, f"{summary.suite}: {budgets_text(summary)} tokens a trial, mean ± sd over {seeds}")
        for table in allocator_tables(console, summary, num_seeds=num_seeds):
            console.print(table)
        _heading(console, "profile before and after training, and the share of the tokens that each capability got")
        for table in profile_tables(summary, width=console.width):
            console.print(table)
    for trial in summary.unfinished:
        reason = f": {trial.reason}" if trial.reason else ""
        console.print(cell(f"{trial.allocator}, seed {trial.seed}: {trial.status}{reason}", "red"), soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print(cell(text, "bold"), soft_wrap=True)


def allocator_tables(console: Console, summary: Summary, *, num_seeds: int) -> list[Table]:
    """One row per allocator, the highest mean utility first; its costs are in a second table if the first gets too wide."""
    whole = _allocator_table(summary, num_seeds=num_seeds, scores=True, costs=True)
    if console.measure(whole, options=console.options.update(max_width=UNBOUNDED_COLUMNS)).maximum <= console.width:
        return [whole]
    return [
        _allocator_table(summary, num_seeds=num_seeds, scores=True, costs=False),
        _allocator_table(summary, num_seeds=num_seeds, scores=False, costs=True),
    ]


def _allocator_table(summary: Summary, *, num_seeds: int, scores: bool, costs: bool) -> Table:
    """The best mean of each column is bold; numbers are set tight if there is no room for the costs."""
    table = new_table()
    table.add_column("allocator", no_wrap=True)
    joint = scores and any(row.step_accuracy != row.metric("utility") for row in summary.allocators)  # else the columns would be equal
    if joint:
        table.add_column("steps right", justify="right", no_wrap=True)
    for _, heading, _ in COLUMNS if scores else ():
        table.add_column(heading, justify="right", no_wrap=True)
    piloted = "" if summary.pilot_tokens is None else " / pilots"
    for heading in ("tokens charged", f"overhead tokens\nprobe / dev / eval{piloted}", "seconds") if costs else ():
        table.add_column(heading, justify="right", no_wrap=True)
    best = {metric: _best(summary, metric, highest) for metric, _, highest in COLUMNS}
    for row in summary.allocators:
        cells = [cell(row.name if len(row.seeds) == num_seeds else f"{row.name} ({len(row.seeds)} of {num_seeds})")]
        if joint:
            cells.append(Text(_score(row.step_accuracy, tight=not costs)))
        if scores:
            values = [(row.metric(metric), best[metric]) for metric, _, _ in COLUMNS]
            cells += [Text(_score(v, tight=not costs), style="bold green" if v and v.mean == top else "") for v, top in values]
        if costs:
            overhead = " / ".join("–" if (v := row.tokens[kind]) is None else tokens_text(v.mean) for kind in OVERHEAD)
            if summary.pilot_tokens is not None:
                overhead += f" / {tokens_text(summary.pilot_tokens)}"
            cells += [Text(_charged(row.charged_tokens, row.budget_tokens)), Text(overhead), Text(_spread(row.seconds, ".1f"))]
        table.add_row(*cells)
    return table


def profile_tables(summary: Summary, *, width: int) -> list[Table]:
    """Rows: capabilities; for each allocator the score after and the share of tokens. As many tables as the width asks for."""
    per_table = max(1, (width - FIXED_WIDTH) // COLUMN_WIDTH)
    groups = [summary.allocators[i : i + per_table] for i in range(0, len(summary.allocators), per_table)]
    return [_profile_table(summary, group) for group in groups]


def _profile_table(summary: Summary, allocators: tuple[AllocatorSummary, ...]) -> Table:
    table = new_table()
    table.add_column("capability", no_wrap=True)
    table.add_column("required", justify="right")
    table.add_column("before", justify="right")
    for allocator in allocators:
        name = printable(allocator.name).replace("/", "\n")  # a place in the grid, a line each
        table.add_column(f"{name}\nafter  share", justify="right")
    for capability, required in summary.requirement.items():
        before = summary.profile_before[capability]
        table.add_row(
            cell(capability),
            f"{required:.0%}" if required else Text("–", style="dim"),
            _plain(before),
            *(_after(before, allocator.profile_after[capability], allocator.allocation[capability]) for allocator in allocators),
        )
    return table


def _best(summary: Summary, metric: str, highest: bool) -> float | None:
    means = [value.mean for a in summary.allocators if (value := a.metric(metric)) is not None]
    if len(means) < 2:
        return None
    return max(means) if highest else min(means)


def _spread(value: Estimate | None, spec: str) -> str:
    if value is None:
        return "–"
    return f"{value.mean:{spec}}" if value.sd is None else f"{value.mean:{spec}} ± {value.sd:{spec}}"


def _score(value: Estimate | None, *, tight: bool) -> str:
    spread = _spread(value, ".3f")
    return spread.replace(" ± 0.", "±.") if tight else spread


def _plain(value: Estimate | None) -> str:
    return "–" if value is None else f"{value.mean:.3f}"


def _charged(value: Estimate | None, budget_tokens: int) -> str:
    if value is None:
        return "–"
    return f"{_spread(value, ',.0f')} ({value.mean / budget_tokens:.1%})"


def _after(before: Estimate | None, after: Estimate | None, share: Estimate | None) -> Text:
    """The score after (green where it rose, red where it fell) and the share of the tokens (dim where none)."""
    if before is None or after is None or share is None:
        return Text("–")
    change = after.mean - before.mean
    style = "green" if change > 0 else "red" if change < 0 else ""
    return Text.assemble((f"{after.mean:.3f}", style), "  ", (f"{share.mean:>5.0%}", "" if share.mean >= 0.005 else "dim"))
