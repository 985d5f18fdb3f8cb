"""What the gate says of a verdict and of an outcome, in words: the same in the terminal, in markdown, XML and annotations."""

from collections.abc import Sequence

from readbench.results.stats import MIN_PAIRS
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import Status, Verdict


def numbers(verdict: Verdict) -> str:
    """``0.613 → 0.488, improvement -0.125, one-sided 95 % bounds -0.150 to -0.100, margin 0.02, 3 seeds``."""
    bounds = f", one-sided 95 % bounds {bounds_text(verdict)}" if verdict.bounds is not None else ""
    worse = "" if verdict.higher_is_better else " (lower is better)"
    return (
        f"{verdict.mean_baseline:.4f} → {verdict.mean_run:.4f}, improvement {signed(verdict.improvement)}{bounds}, "
        f"margin {verdict.margin:g}, {seeds_text(verdict.num_seeds)}{worse}"
    )


def bounds_text(verdict: Verdict) -> str:
    """The one-sided bounds of the improvement."""
    return "–" if verdict.bounds is None else f"{signed(verdict.bounds[0])} to {signed(verdict.bounds[1])}"


def signed(value: float) -> str:
    """``-0.0412``; ``+3e-08`` where four decimals would hide that something changed."""
    return f"{value:+.0e}" if 0 < abs(value) < 5e-5 else f"{value:+.4f}"


def seeds_text(count: int) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count} seed" if count == 1 else f"{count} seeds"


def why_inconclusive(verdict: Verdict) -> str:
    """What the seeds at hand could have found, and how many would do."""
    found = "" if verdict.detectable is None else f"{seeds_text(verdict.num_seeds)} can tell a loss of {verdict.detectable:.3g} from none"
    if verdict.seeds_needed is None:
        needed = f"more than 1000 would be needed for a loss of {verdict.margin:g}"
    elif verdict.num_seeds < MIN_PAIRS or verdict.seeds_needed > verdict.num_seeds:
        needed = f"a loss of {verdict.margin:g} needs {seeds_text(max(verdict.seeds_needed, MIN_PAIRS))}"
    else:
        return f"{found} (80 % power), but what they show lies between none and the margin of {verdict.margin:g}"
    return f"{found}, {needed} (80 % power)"


def headline(outcome: Outcome) -> str:
    """The outcome in one line, with the metrics that it rests on."""
    status = outcome.status
    if status is Status.IDENTICAL:
        if not outcome.same_bits:
            return "identical: every value is the baseline's, on a machine that is not known to compute the baseline's bits"
        return f"identical: every value is the baseline's, bit for bit{', and so is the config' if outcome.same_config else ''}"
    if status is Status.PASS:
        passed = len(outcome.of(Status.PASS))
        return f"pass: in {passed} of {len(outcome.verdicts)} metrics something changed, and no loss of a margin's size"
    return f"{status}: {names(outcome.of(status))}"


def names(verdicts: Sequence[Verdict]) -> str:
    """``read utility, read auc, uniform utility``."""
    return ", ".join(f"{verdict.allocator} {verdict.metric}" for verdict in verdicts)


def remarks(outcome: Outcome) -> list[str]:
    """The notes below the table: what changed, what is missing, what is too good."""
    lines = [f"changed since the baseline: {'; '.join(outcome.changes)}"] if outcome.changes else []
    if not outcome.changes and outcome.status is not Status.IDENTICAL:
        lines.append("changed since the baseline: nothing that readbench records (an allocator of another package?)")
    lines += [f"inconclusive: {v.allocator} {v.metric}: {why_inconclusive(v)}" for v in outcome.of(Status.INCONCLUSIVE)]
    lines += [f"warning: {line}" for line in warnings(outcome)]
    return lines


def warnings(outcome: Outcome) -> list[str]:
    """Findings that are not regressions but need a look."""
    lines = [
        f"{v.allocator} {v.metric} jumped upwards by {v.improvement:.4f}: a broken scorer raises scores too"
        for v in outcome.verdicts
        if v.suspicious
    ]
    missing = {(v.allocator, v.missing_seeds) for v in outcome.verdicts if v.missing_seeds}
    for allocator, seeds in sorted(missing):
        lines.append(f"{allocator}: the run lacks {seeds_text(len(seeds))} of the baseline: {', '.join(map(str, seeds))}")
    if outcome.new_allocators:
        lines.append(f"not in the baseline, so not gated: {', '.join(outcome.new_allocators)}")
    return lines
