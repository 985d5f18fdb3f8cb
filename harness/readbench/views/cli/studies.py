"""What `pilot`, `requirement` and `transfer` share: untested trials of a config, with a display."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readbench.views.cli.interruption import interruptible

if TYPE_CHECKING:
    from readbench.results.transfer.measured import TransferMatrix
    from readbench.runs.config import Resolved
    from readbench.runs.plan import Plan
    from readbench.views.cli.session import Observe


def carry_out_pilots(resolved: "Resolved", run_dir: Path | None, *, hint: str) -> "Mapping[str, Any]":
    """Makes the pilots of a run, without its trials; returns what they found. Without a run directory, in the cache folder."""
    from readbench.runs.execute import make_pilots
    from readbench.runs.plan import plan

    planned = plan(resolved, piloted=True)
    with _opened(resolved, planned, run_dir, hint) as (folder, run, observe):
        return make_pilots(folder, run, resolved, planned, observe=observe)


def carry_out_transfer(resolved: "Resolved", *, budgets: Sequence[int], seeds: Sequence[int], hint: str) -> "TransferMatrix":
    """Trains each capability alone, in the cache folder."""
    from readbench.results.transfer.measured import matrix_of
    from readbench.runs.execute import train_untested
    from readbench.runs.plan import plan
    from readbench.runs.planning.checks import check_one_objective
    from readbench.runs.studies.transfer import transfer_specs

    check_one_objective(resolved.config, "a transfer matrix is")
    planned, capabilities = plan(resolved), resolved.suite.capabilities
    specs = transfer_specs(planned.trials[0], capabilities, budgets=budgets, seeds=seeds)
    with _opened(resolved, planned, None, hint) as (folder, run, observe):
        records = train_untested(folder, run, resolved, planned, specs, observe=observe)
    return matrix_of(records, capabilities, budgets=budgets, seeds=seeds)


@contextmanager
def _opened(resolved: "Resolved", planned: "Plan", run_dir: Path | None, hint: str) -> "Iterator[tuple[Path, Mapping[str, Any], Observe]]":
    """Holds the directory, with a display that begins with the plan's warnings; the hint says how an interrupted command goes on."""
    from readbench.runs.directory import opened
    from readbench.runs.studies.pilots import work_folder
    from readbench.trials.events import Event
    from readbench.views.cli.display import choose_display

    folder = work_folder(resolved.hash(), planned.provenance) if run_dir is None else run_dir
    with (
        interruptible(hint),
        choose_display(sys.stderr) as display,
        opened(folder, resolved, trials=planned.trials, provenance=planned.provenance) as run,
    ):
        for warning in planned.warnings:
            display.observe(Event(kind="warning", message=warning))
        yield folder, run, display.observe
