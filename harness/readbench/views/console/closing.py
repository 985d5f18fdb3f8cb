"""The last lines after a run: what won, by how much with its interval, tokens spent, where everything is, what to type next."""

import shlex
from pathlib import Path

from readbench.results.stats import MIN_PAIRS, paired_difference
from readbench.results.summary import AllocatorSummary, Summary, mean_or
from readbench.teachers.spend.ledger import read_spent
from readbench.views.console.text import tokens_text

FEW_VERIFY = 0.95  # a capability with a lower share of verified answers is named


def closing_lines(summary: Summary, *run_dirs: Path) -> list[str]:
    """In the order in which they are printed."""
    folder = " ".join(shlex.quote(str(run_dir)) for run_dir in run_dirs)
    missing = len(summary.unfinished)
    lines = verdict(summary)
    spent = f"{tokens_text(summary.charged_tokens)} tokens charged by {summary.num_trials - missing} trials"
    if summary.inferred:
        needed = sorted(((weight, name) for name, weight in summary.requirement.items() if weight >= 0.005), reverse=True)
        lines.append(f"requirement, by the pilots: {', '.join(f'{name} {weight:.0%}' for weight, name in needed)}")
    lines += teaching(summary)
    lines.append(f"{spent}; {missing} of {summary.num_trials} without a result" if missing else spent)
    for run_dir in run_dirs:
        teacher = read_spent(run_dir)
        if teacher is not None:
            doubt = f", {teacher.in_doubt} in doubt at their cap" if teacher.in_doubt else ""
            lines.append(f"teacher: {tokens_text(teacher.requests)} requests{doubt}, {tokens_text(teacher.tokens)} tokens paid for")
        lines.append(f"results: {run_dir / 'results.json'}")
    page = "" if len(run_dirs) == 1 else " -o report.html"
    if missing:
        lines.append(f"next:    readbench resume {folder if len(run_dirs) == 1 else 'RUN'}")
    elif len(summary.allocators) > 1 and len(summary.allocators[0].seeds) >= MIN_PAIRS:
        lines.append(f"look:    readbench report {folder}{page}")
        lines.append(f"next:    readbench compare {folder} {_compared(summary)}")
    else:
        lines.append(f"next:    readbench report {folder}{page}")
    return lines


def teaching(summary: Summary) -> list[str]:
    """How many of the answers that were taught verify; a capability where few do is named."""
    shares = {name: share for name, taught in summary.taught.items() if (share := taught.share) is not None}
    if not shares:
        return []
    examples, verified = (sum(getattr(taught, key) for taught in summary.taught.values()) for key in ("examples", "verified"))
    named = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share < FEW_VERIFY)
    whole = f"{verified:,} of {_whose(summary)} {examples:,} answers verify{f' ({named})' if named else ''}"
    return [whole, *(f"warning: {line}" for line in unverified(summary))]


def _whose(summary: Summary) -> str:
    return "the teacher's and the student's" if summary.own_answers else "the teacher's"


def unverified(summary: Summary) -> list[str]:
    """The capabilities in which none of the answers verifies, with three of them, in printable characters."""
    return [
        f"none of {_whose(summary)} {taught.examples} answers to {name} verifies, such as {'; '.join(map(repr, taught.samples))}"
        for name, taught in summary.taught.items()
        if taught.share == 0
    ]


def budgets_text(summary: Summary) -> str:
    """The budgets of its trials: ``30k or 60k``."""
    _, _, budgets = summary.grid
    return " or ".join(map(tokens_text, sorted(budgets)))


def _compared(summary: Summary) -> str:
    """What to compare first: the axis of the grid that has several values, the objective before the budget, at one place of the others."""
    allocators, objectives, budgets = summary.grid
    if len(objectives) == len(budgets) == 1:
        return f"--reference {shlex.quote(reference_for(summary))}"
    place = [f"--allocator {shlex.quote(allocators[0])}"] if len(allocators) > 1 else []
    if len(objectives) == 1:
        return " ".join(["--by budget", *place])
    place += [f"--budget {max(budgets)}"] if len(budgets) > 1 else []
    return " ".join(["--by objective", f"--reference {shlex.quote('sft' if 'sft' in objectives else objectives[0])}", *place])


def reference_for(summary: Summary) -> str:
    """``uniform`` if it ran (the rule that knows nothing), else the runner-up."""
    names = [allocator.name for allocator in summary.allocators]
    return "uniform" if "uniform" in names[1:] else names[1]


def verdict(summary: Summary) -> list[str]:
    """Who has the highest mean utility, and whether the seeds separate it from the runner-up.

    The interval is that of one difference; it is not corrected for having picked the best of several.
    """
    ranked = [allocator for allocator in summary.allocators if allocator.metric("utility") is not None]
    if not ranked:
        return ["no trial has a result"]
    first = ranked[0]
    start = "" if summary.utility_before is None else f" (untrained student: {summary.utility_before:.3f})"
    utility = f"utility {mean_or(first.metric('utility'), 0.0):.3f}{start}"
    if len(ranked) == 1:
        return [f"{first.name}: {utility}"]
    second = ranked[1]
    if first.metric("utility") == second.metric("utility"):
        return [f"{first.name} and {second.name} tie: {utility}"]
    return _margin_to(second, first, utility)


def _margin_to(second: AllocatorSummary, first: AllocatorSummary, utility: str) -> list[str]:
    """By how much the first leads, and whether the seeds separate the two."""
    difference = paired_difference(first.by_seed["utility"], second.by_seed["utility"])
    if difference is None:
        return [f"{first.name} leads: {utility}", f"no margin: it shares no seed with the runner-up {second.name}"]
    margin = f"{difference.mean:+.3f} against {second.name}"
    if difference.interval is None:
        return [f"{first.name} leads: {utility}", f"{margin}; no interval below {MIN_PAIRS} seeds (here {difference.n}): give more --seeds"]
    low, high = difference.interval
    margin += f", 95 % interval {low:+.3f} to {high:+.3f}, paired over {difference.n} seeds"
    if difference.separated:
        return [f"{first.name} wins: {utility}", margin]
    return [f"{first.name} leads: {utility}", f"{margin}: these seeds do not separate the two"]
