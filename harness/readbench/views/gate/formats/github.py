"""What GitHub Actions shows of a check: an annotation per regression and warning, and the job's summary.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Mapping
from pathlib import Path

from readbench.base.errors import SurroundingError
from readbench.base.files import append_text
from readbench.views.console.text import printable
from readbench.views.gate.formats.wording import numbers, warnings, why_inconclusive
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import Status

SUMMARY = "GITHUB_STEP_SUMMARY"


def on_github(environment: Mapping[str, str]) -> bool:
    """Whether workflow commands are read from the output."""
    return environment.get("GITHUB_ACTIONS") == "true" or bool(environment.get(SUMMARY))


def annotations(outcome: Outcome) -> list[str]:
    """Workflow commands, one a line."""
    level = "error" if outcome.inconclusive == "fail" else "warning"
    lines = [_command("error", f"{v.allocator} {v.metric}: regression: {numbers(v)}") for v in outcome.of(Status.REGRESSION)]
    lines += [_command(level, f"{v.allocator} {v.metric}: inconclusive: {why_inconclusive(v)}") for v in outcome.of(Status.INCONCLUSIVE)]
    return lines + [_command("warning", line) for line in warnings(outcome)]


def append_summary(path: Path, text: str) -> None:
    """Adds to the job's summary; other steps' text stays."""
    try:
        append_text(path, text)
    except OSError as error:
        raise SurroundingError(f"cannot write {path}, the job's summary: {error.strerror}", hint=f"unset {SUMMARY}") from error


def _command(level: str, message: str) -> str:
    return f"::{level} title=readbench check::{_data(message)}"


def _data(text: str) -> str:
    """A command's message: what would end it is escaped as GitHub asks, other control characters as a terminal shows them."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(escaped)
