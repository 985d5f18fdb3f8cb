"""What `pilot`, `requirement` and `transfer` share: trainings whose students are only probed, with a display."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from readbench.results.transfer.measured import TransferMatrix
    from readbench.runs.config import Resolved


def carry_out_pilots(run_dir: Path, resolved: "Resolved") -> "Mapping[str, Any]":
    """Makes the pilots of a run, without its trials, in its directory, with a display; returns what they found."""
    from readbench.runs.directory import opened
    from readbench.runs.execute import make_pilots
    from readbench.runs.plan import plan
    from readbench.views.cli.display import choose_display

    planned = plan(resolved, piloted=True)
    with (
        choose_display(sys.stderr) as display,
        opened(run_dir, resolved, trials=planned.trials, provenance=planned.provenance) as run,
    ):
        return make_pilots(run_dir, run, resolved, planned, observe=display.observe)


def carry_out_transfer(resolved: "Resolved", *, budgets: Sequence[int], seeds: Sequence[int]) -> "TransferMatrix":
    """Trains each capability alone, with a display; goes on where the same call was interrupted."""
    from readbench.results.transfer.measured import matrix_of
    from readbench.runs.directory import opened
    from readbench.runs.execute import probe_all
    from readbench.runs.plan import plan
    from readbench.runs.studies.pilots import work_folder
    from readbench.runs.studies.transfer import specs_of
    from readbench.views.cli.display import choose_display

    planned = plan(resolved)
    specs = specs_of(planned.trials[0], resolved.suite.capabilities, budgets=budgets, seeds=seeds)
    run_dir = work_folder(resolved.hash(), planned.provenance)
    with (
        choose_display(sys.stderr) as display,
        opened(run_dir, resolved, trials=planned.trials, provenance=planned.provenance) as run,
    ):
        records = probe_all(run_dir, run, resolved, planned, specs, observe=display.observe)
    return matrix_of(records, resolved.suite.capabilities, budgets=budgets, seeds=seeds)
