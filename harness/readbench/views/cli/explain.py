"""``readbench explain``: what an allocator chose between at each interval, and what it expected."""

from pathlib import Path
from typing import Annotated

import typer


def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    *,
    allocator: Annotated[str, typer.Option(metavar="NAME", help="Whose trial.", show_default=False)],
    seed: Annotated[int, typer.Option(metavar="N", help="Which of its trials.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The intervals with all candidates on standard output.")] = False,
) -> None:
    """Show each decision of a trial with what the allocator knew and expected."""
    from readbench.base.errors import ConfigError, near_match
    from readbench.trials.record.run_files import read_run
    from readbench.trials.record.trial_file import find_trial
    from readbench.views.console.studies.explained import show_decisions

    run = read_run(run_dir)
    trials = {(trial["allocator"], trial["seed"]): trial["id"] for trial in run["trials"]}
    if allocator not in {name for name, _ in trials}:
        raise ConfigError(f"the run has no allocator {allocator!r}", hint=near_match(allocator, sorted({name for name, _ in trials})))
    if (allocator, seed) not in trials:
        seeds = ", ".join(str(other) for name, other in trials if name == allocator)
        raise ConfigError(f"the run has no trial of {allocator} with seed {seed}", hint=f"it has {seeds}")
    record = find_trial(run_dir / "trials" / trials[allocator, seed])
    if record is None or not record.intervals:
        raise ConfigError(f"{allocator} seed {seed} has no interval yet", hint=f"readbench resume {run_dir}")
    show_decisions(run["suite"]["capabilities"], record, as_json=as_json)
