"""What `run` and `resume` share: the display while trials run, then the results, however far they got."""

import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from readbench.base.errors import IncompleteRunError
from readbench.views.cli.interruption import interruptible

if TYPE_CHECKING:
    from readbench.results.document.model import Results
    from readbench.runs.config import Resolved
    from readbench.trials.events import Event

Observe = Callable[["Event"], None]


def follow(run_dir: Path, resolved: "Resolved", *, allow_drift: bool, as_json: bool) -> None:
    """Runs the trials that are not done yet, with a display, and shows the results, even of an incomplete run."""
    from readbench.models.ranks import placed
    from readbench.runs.executors.pool import prepare
    from readbench.runs.executors.together import leading, obey
    from readbench.views.cli.display import choose_display

    number, count = placed()
    if number > 0:  # rank 0 says what to do, and shows it
        obey(resolved.config.device)
    if resolved.config.executor == "pool" and count == 1:
        prepare()
    resumed = f"resume with: readbench resume {shlex.quote(str(run_dir))}"
    with interruptible(resumed), choose_display(sys.stderr) as display, leading(resolved.config.device) if count > 1 else nullcontext():
        results = carry_out(run_dir, resolved, allow_drift=allow_drift, observe=display.observe)
    show([results], run_dir, as_json=as_json)
    _check_complete(results, run_dir)


def carry_out(run_dir: Path, resolved: "Resolved", *, allow_drift: bool = False, observe: Observe) -> "Results":
    """Plans the run, opens its directory, runs the trials that are not done, tells the trackers; returns the results.

    They are also written to ``results.json``; some of its trials may have failed.
    """
    from readbench.results.document.building import rebuild
    from readbench.runs.directory import opened
    from readbench.runs.execute import execute
    from readbench.runs.plan import plan
    from readbench.trials.events import Event
    from readbench.views.trackers.following import Ending
    from readbench.views.trackers.tracking import Tracking, check_installed, run_info

    planned = plan(resolved)
    for warning in planned.warnings:
        observe(Event(kind="warning", message=warning))
    trackers = resolved.config.trackers
    check_installed(trackers)
    with (
        opened(run_dir, resolved, trials=planned.trials, provenance=planned.provenance) as run,
        Tracking(trackers, run_info(run_dir, run, planned.trials), observe=observe) as tracking,
    ):
        execute(run_dir, run, resolved, planned, allow_drift=allow_drift, observe=tracking.observe)
        results = rebuild(run_dir)
        tracking.conclude(Ending(trials=results.trials, file=run_dir / "results.json"))
    return results


def _check_complete(results: "Results", run_dir: Path) -> None:
    """Raises IncompleteRunError with the reason if a trial is not complete."""
    failed = results.unfinished
    if failed:
        first = failed[0]
        raise IncompleteRunError(
            f"{len(failed)} of {len(results.trials)} trials are not complete; {first.allocator}, seed {first.seed}: {first.failure}",
            hint=f"fix the cause and resume with: readbench resume {run_dir}",
        )


def show(runs: "Sequence[Results]", *run_dirs: Path, as_json: bool) -> None:
    """Results on standard output: as JSON, or as tables with the closing lines; of several runs as one."""
    from readbench.results.merging import merge
    from readbench.results.summary import summarise
    from readbench.views.console.closing import closing_lines
    from readbench.views.console.tables import print_tables
    from readbench.views.console.text import cell, console_for, write_json

    results = merge(runs).results
    if as_json:
        write_json((runs[0] if len(runs) == 1 else results).document())
        return

    console = console_for(sys.stdout)
    summary = summarise(results)
    print_tables(console, summary)
    if results.environment.get("drift"):
        console.print(cell("note:    this run was resumed where other bits are computed: compare it with care"), soft_wrap=True)
    for line in closing_lines(summary, *run_dirs):
        console.print(cell(line), soft_wrap=True)
