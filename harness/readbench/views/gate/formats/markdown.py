"""The verdicts as markdown, for a pull request's comment or a job's summary. Its first line lets a bot find its own comment."""

import re

from readbench.views.console.text import printable
from readbench.views.gate.formats.wording import bounds_text, headline, remarks, signed
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import Verdict

MARKER = "<!-- readbench -->"
_HEADINGS = ("verdict", "allocator", "metric", "baseline", "run", "improvement", "one-sided 95 % bounds", "margin", "seeds")
_PLAIN = re.compile(r"[^\w .,:;%+=()→–-]|_(?!\w)|(?<!\w)_")  # all else may be markup, a mention, a link or the end of a cell


def markdown(outcome: Outcome) -> str:
    """A table with one row per allocator and metric, and the remarks below it."""
    lines = [
        MARKER,
        f"### readbench check: {outcome.status}",
        "",
        f"{escaped(outcome.suite)}, run {escaped(outcome.run)}",
        "",
        f"**{escaped(headline(outcome))}**",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{' --- |' * 3}{' ---: |' * (len(_HEADINGS) - 3)}",
        *(f"| {' | '.join(_cells(verdict))} |" for verdict in outcome.verdicts),
        "",
        *(f"- {escaped(line)}" for line in remarks(outcome)),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def escaped(text: object) -> str:
    """The text in one line, with every character that markdown or HTML could obey as its entity, which neither does.

    GitHub looks for @mentions and #issues after that: an empty comment behind the sign keeps it from finding one.
    """
    return _PLAIN.sub(lambda match: f"&#{ord(match[0])};" + ("<!-- -->" if match[0] in "@#" else ""), printable(text))


def _cells(verdict: Verdict) -> tuple[str, ...]:
    return (
        f"**{verdict.status}**",
        escaped(verdict.allocator),
        escaped(verdict.metric),
        f"{verdict.mean_baseline:.4f}",
        f"{verdict.mean_run:.4f}",
        signed(verdict.improvement),
        bounds_text(verdict),
        f"{verdict.margin:g}",
        str(verdict.num_seeds),
    )
