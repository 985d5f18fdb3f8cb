"""The tables without a picture: the key numbers by allocator, every trial, and the trials without a result."""

from readbench.results.leaderboard import leaderboard
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


def standings(view: View) -> Table | None:
    """One row per allocator by mean rank, with what it lost to the best and what it cost; None for a single allocator."""
    try:
        board = leaderboard([{a.name: a.by_seed["utility"] for a in view.allocators if a.seeds}])
    except ValueError:
        return None
    if len(board.places) < 2:
        return None
    by_name = {allocator.name: allocator for allocator in view.allocators}
    best = max((value.mean for a in view.allocators if (value := a.metric("utility")) is not None), default=0.0)
    pilots = "" if view.summary.pilot_tokens is None else f"; pilots, made once for all trials: {view.summary.pilot_tokens:,} tokens"
    found = "" if board.p_value is None else f"; Friedman p = {board.p_value:.2g}"
    rows = []
    for place in board.places:
        allocator = by_name[place.name]
        utility = allocator.metric("utility")
        measuring = [tokens.mean for kind in ("probe", "dev", "eval", "pilot") if (tokens := allocator.tokens[kind]) is not None]
        decision = allocator.decision_seconds
        rows.append(
            (
                numbers.text(place.name),
                numbers.number(place.rank, ".2f"),
                numbers.text(numbers.NOTHING if place.interval is None else f"{place.interval[0]:.2f} to {place.interval[1]:.2f}"),
                numbers.number(None if utility is None else best - utility.mean),
                numbers.number(sum(measuring), ",.0f"),
                numbers.number(None if decision is None else 1000 * decision.mean, ".2f"),
            )
        )
    columns = (
        Column(heading="allocator", numeric=False),
        Column(heading="mean rank", note="↓"),
        Column(heading="95 % interval", numeric=False),
        Column(heading="regret", note="↓"),
        Column(heading="overhead tokens", note="↓"),
        Column(heading="ms a decision", note="↓"),
    )
    return Table(
        caption=f"Ranks by utility over {board.num_blocks} seeds that all have; regret: what the best mean utility here is higher; "
        f"overhead: tokens of measuring, beside the budget{pilots}{found}",
        columns=columns,
        rows=tuple(rows),
    )


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
