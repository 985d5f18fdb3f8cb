"""``readbench simulate``: allocators against a student that is fitted to recorded runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import AllocatorNames, OneSetting, SettingsFile, SuiteName
from readbench.views.cli.reading import join_lists


def simulate(
    *,
    suite: SuiteName,
    allocators: AllocatorNames = None,
    seeds: Annotated[str, typer.Option(metavar="N", help="How many seeds (5 is 0 to 4), or which ones (3,7; one: 7,).")] = "200",
    intervals: Annotated[int | None, typer.Option(metavar="T", help="In how many intervals the budget is allocated.")] = None,
    requirement: Annotated[str | None, typer.Option(metavar="SOURCE", help="Where r comes from: card or pilots.")] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="RUN", help="A run directory to fit to; repeatable. Without it: all of the suite's in runs."),
    ] = None,
    reference: Annotated[str, typer.Option(metavar="ALLOCATOR", help="What the others are compared with.")] = "task-static",
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures on standard output.")] = False,
) -> None:
    """Play many cheap trials with a student that is fitted to recorded runs: a model's figures, not results."""
    from readbench.base.errors import ConfigError
    from readbench.runs.config import parse_seeds, resolve
    from readbench.runs.executors.pool import num_cores
    from readbench.runs.plan import plan
    from readbench.runs.studies import simulation
    from readbench.views.console.studies.simulation import show_simulation

    flags: dict[str, object] = {"seeds": parse_seeds(seeds)}
    flags |= {"allocators": join_lists(allocators)} if allocators else {}
    flags |= {"num_intervals": intervals} if intervals is not None else {}
    flags |= {"requirement": requirement} if requirement is not None else {}
    names = {"num_intervals": "intervals"}
    resolved = resolve(suite, file=config, environment=os.environ, flags=flags, flag_names=names, sets=set_ or [])
    specs = plan(resolved).trials
    if len({(spec.objective, spec.budget_tokens) for spec in specs}) > 1:
        raise ConfigError("a simulation is of one objective and one budget", hint="name one of each")
    folders = source or simulation.runs_of(Path("runs"), specs[0])
    recording = simulation.recorded(folders, specs[0], resolved.suite)
    if reference not in resolved.config.allocators and len(resolved.config.allocators) > 1:
        raise ConfigError(f"the reference {reference} is not simulated", hint="name it in --allocators, or give another --reference")
    found = simulation.simulate(specs, resolved.suite, recording, workers=resolved.config.workers or num_cores())
    show_simulation(found, reference=reference, as_json=as_json)
