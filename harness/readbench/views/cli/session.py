"""What `run` and `resume` share: the display while trials run, then the results, however far they got."""

import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readbench.base.errors import IncompleteRunError, ReadbenchError

if TYPE_CHECKING:
    from readbench.trials.events import Event

Observe = Callable[["Event"], None]


class InterruptedRunError(ReadbenchError):
    """Stopped from the keyboard; what was committed is kept."""

    exit_code = 130


class TerminatedRunError(InterruptedRunError):
    """Stopped by SIGTERM."""

    exit_code = 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM: a batch system's Ctrl-C."""


def follow(run_dir: Path, work: Callable[[Observe], dict[str, Any]], *, as_json: bool) -> None:
    """Does the work under a display and shows its results, those of an incomplete run too."""
    from readbench.results.document import load
    from readbench.views.cli.display import choose_display

    signal.signal(signal.SIGTERM, _terminate)
    try:
        with choose_display(sys.stderr) as display:
            document = work(display.observe)
    except IncompleteRunError:
        if (run_dir / "results.json").is_file():
            show(load(run_dir), run_dir, as_json=as_json)
        raise
    except KeyboardInterrupt as error:
        kind = TerminatedRunError if isinstance(error, _Terminated) else InterruptedRunError
        raise kind("interrupted", hint=f"resume with: readbench resume {shlex.quote(str(run_dir))}") from error
    show(document, run_dir, as_json=as_json)


def _terminate(*_: object) -> None:
    raise _Terminated


def show(document: dict[str, Any], run_dir: Path, *, as_json: bool) -> None:
    """A results document on standard output: as JSON, or as tables with the closing lines."""
    from readbench.results.summary import summarise
    from readbench.views.console.closing import closing_lines
    from readbench.views.console.tables import print_tables
    from readbench.views.console.text import cell, console_for, write_json

    if as_json:
        write_json(document)
        return

    console = console_for(sys.stdout)
    summary = summarise(document)
    print_tables(console, summary)
    if document["environment"].get("drift"):
        console.print(cell("note:    this run was resumed where other bits are computed: compare it with care"), soft_wrap=True)
    for line in closing_lines(summary, run_dir):
        console.print(cell(line), soft_wrap=True)
