"""The tables without a picture: the key numbers by allocator, every trial, and the trials without a result."""

from readbench.results.summary import AllocatorSummary
from readbench.suites.metric_names import METRICS
from readbench.views.report import numbers
from readbench.views.report.model import Cell, Column, Table
from readbench.views.report.view import View, label, mean_over_seeds

LONGEST_REASON = 400  # characters
BETTER_LOW = ("spillover", "collateral", "waste")
HEADINGS = {"utility_gain": "gain", "profile_gain": "profile gain"}
SAYS = {
    "utility": "share of right answers on the test set, after the last token",
    "utility_gain": "utility minus that of the untrained student",
    "profile_gain": "change of the profile, weighted by what the task needs",
    "spillover": "harm to what the task needs while it happened, summed over the intervals",
    "collateral": "lasting harm to what the task does not need",
    "waste": "share of the tokens in intervals without a measurable gain",
    "auc": "utility on the dev questions, averaged over the budget",
}


def key_numbers(view: View) -> Table:
    """One row per allocator, the best mean of each metric marked."""
    best = {metric: _best(view, metric) for metric in METRICS}
    columns = [Column(heading="allocator", numeric=False), Column(heading="utility", note="↑"), Column(heading="95 % interval")]
    columns += [Column(heading=HEADINGS.get(m, m), note="↓" if m in BETTER_LOW else "↑") for m in METRICS[1:]]
    columns += [Column(heading="tokens"), Column(heading="seconds"), Column(heading="seeds")]
    rows = tuple(_key_row(allocator, best) for allocator in view.allocators)
    return Table(
        caption="Mean ± standard deviation over seeds; ↑ more is better, ↓ less is; the best mean of a column is bold",
        columns=tuple(columns),
        rows=rows,
    )


def _key_row(allocator: AllocatorSummary, best: dict[str, float | None]) -> tuple[Cell, ...]:
    scores = {metric: allocator.metric(metric) for metric in METRICS}
    cells = {m: numbers.spread(value, best=value is not None and value.mean == best[m]) for m, value in scores.items()}
    utilities = list(allocator.by_seed["utility"].values())
    return (
        numbers.text(allocator.name),
        cells["utility"],
        numbers.interval(mean_over_seeds(utilities) if utilities else None, ".3f"),
        *(cells[m] for m in METRICS[1:]),
        numbers.spread(allocator.charged_tokens, ",.0f"),
        numbers.spread(allocator.seconds, ".1f"),
        numbers.number(len(allocator.seeds), ".0f"),
    )


def _best(view: View, metric: str) -> float | None:
    means = [value.mean for a in view.allocators if (value := a.metric(metric)) is not None]
    if len(means) < 2:
        return None
    return min(means) if metric in BETTER_LOW else max(means)


def trials(view: View) -> Table:
    """One row per complete trial."""
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="seed"),
        *(Column(heading=HEADINGS.get(m, m)) for m in METRICS),
        Column(heading="tokens charged"),
        Column(heading="intervals"),
        Column(heading="seconds"),
        Column(heading="id", numeric=False),
    )
    rows = tuple(
        (
            numbers.text(name),
            numbers.number(trial.seed, ".0f"),
            *(numbers.number(getattr(trial.metrics, metric)) for metric in METRICS),
            numbers.number(trial.tokens.charged, ",.0f"),
            numbers.number(len(trial.intervals), ".0f"),
            numbers.number(trial.seconds.total, ".2f"),
            numbers.text(trial.id),
        )
        for name, done in view.trials.items()
        for trial in done
    )
    return Table(caption="Every complete trial", columns=columns, rows=rows)


def unfinished(view: View) -> Table | None:
    """The trials without a result, with the known reason; None if every trial has a result."""
    if not view.summary.unfinished:
        return None
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="seed"),
        Column(heading="status", numeric=False),
        Column(heading="reason", numeric=False),
    )
    rows = tuple(
        (
            numbers.text(t.allocator),
            numbers.number(t.seed, ".0f"),
            numbers.text(t.status),
            numbers.text(label(t.reason, LONGEST_REASON) or numbers.NOTHING),
        )
        for t in view.summary.unfinished
    )
    return Table(caption="Trials without a result", columns=columns, rows=rows)
