"""The report of a run as one HTML file: the same bytes for the same results.

Everything from the run is text that somebody else wrote. Jinja2 escapes all of it; only the SVG (whose texts ElementTree
escaped), the style sheet and the script (ours, packaged) are marked as safe. The Content-Security-Policy allows exactly
these two by their hashes and nothing else: no request, no other script or style, no form, no base.
"""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from readbench.results.document.model import Results
from readbench.results.stats import MIN_PAIRS, paired_difference
from readbench.views.console.closing import budgets_text, unverified, verdict
from readbench.views.console.text import duration_text, printable, tokens_text
from readbench.views.report import numbers, tables
from readbench.views.report.examples import examples
from readbench.views.report.model import Fact, Picture
from readbench.views.report.pictures.allocation import allocation
from readbench.views.report.pictures.cost import cost
from readbench.views.report.pictures.differences import differences
from readbench.views.report.pictures.frontier import frontier
from readbench.views.report.pictures.harm import harm
from readbench.views.report.pictures.insides.decisions import decisions
from readbench.views.report.pictures.insides.samples import samples
from readbench.views.report.pictures.learning.budgets import budgets
from readbench.views.report.pictures.learning.curves import curves
from readbench.views.report.pictures.profile import profile
from readbench.views.report.pictures.transfer import transfer_matrix
from readbench.views.report.provenance import commands, provenance
from readbench.views.report.view import View, view

PICTURES = (differences, budgets, curves, allocation, decisions, profile, frontier, harm, transfer_matrix, samples, cost)


def build(results: Results) -> str:
    """The page of results with at least one complete trial."""
    run = view(results)
    lines = [printable(line) for line in verdict(run.summary)]
    if len(run.allocators) > 1:  # the figures below show the utility: "read wins" is enough of a headline
        lines[0] = lines[0].rpartition(": utility ")[0] or lines[0]
    style, script = _packaged("page.css"), _packaged("page.js")
    environment = Environment(
        loader=PackageLoader("readbench.views.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        policy=policy(style, script),
        style=style,
        script=script,
        run=printable(results.run),
        suite=printable(run.summary.suite),
        headline=lines[0],
        margin=lines[1:],
        warnings=_warnings(run),
        unfinished=tables.unfinished(run),
        headline_facts=_headline_facts(run),
        key_numbers=tables.key_numbers(run),
        standings=tables.standings(run),
        glossary=[Fact(name=tables.HEADINGS.get(m, m), value=said) for m, said in tables.SAYS.items()],
        pictures=_pictures(run),
        examples=examples(run),
        trials=tables.trials(run),
        commands=commands(run),
        provenance=provenance(run),
    )


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy under which exactly this style sheet and this script take effect."""
    return f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _packaged(name: str) -> Markup:
    return Markup((files("readbench.views.report") / "assets" / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _pictures(run: View) -> list[Picture]:
    return [picture for make in PICTURES if (picture := make(run)) is not None]


def _warnings(run: View) -> list[str]:
    """What a reader must know before the first number."""
    said = []
    missing = len(run.summary.unfinished)
    if missing:
        said.append(f"Incomplete: {missing} of {run.summary.num_trials} trials have no result. Everything below is made of the others.")
    seeds = max(len(a.seeds) for a in run.allocators)
    if seeds < MIN_PAIRS:
        count = "One seed" if seeds == 1 else f"{seeds} seeds"
        said.append(f"{count}: no intervals are given. An interval takes at least {MIN_PAIRS} seeds, and the order below may be chance.")
    return said + unverified(run.summary)


def _headline_facts(run: View) -> list[Fact]:
    """Figures beside the headline."""
    best = run.allocators[0]
    utility, before = best.metric("utility"), run.summary.utility_before
    facts = []
    if utility is not None:
        untrained = f"; untrained student {before:.3f}" if before is not None else ""
        facts.append(
            Fact(name=f"utility of {printable(best.name)}", value=f"{utility.mean:.3f}", note=f"right answers on the test set{untrained}")
        )
    if len(run.allocators) > 1:
        second = run.allocators[1]
        lead = paired_difference(best.by_seed["utility"], second.by_seed["utility"])
        if lead is not None:
            note = f"95 % interval {numbers.interval(lead).text}" if lead.interval else f"no interval below {MIN_PAIRS} seeds"
            facts.append(Fact(name=f"lead over {printable(second.name)}", value=numbers.figure(lead.mean, "+.3f"), note=note))
    done = run.summary.num_trials - len(run.summary.unfinished)
    budget = f"{done} trials of at most {budgets_text(run.summary)}"
    facts.append(Fact(name="tokens charged", value=tokens_text(run.summary.charged_tokens), note=budget))
    seconds = sum(trial.seconds.total for trials in run.trials.values() for trial in trials)
    facts.append(Fact(name="computing time", value=duration_text(seconds), note="all trials, one after another"))
    return facts
