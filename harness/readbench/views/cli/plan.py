"""``readbench plan``: what a grid would take on given hardware, or on that of a measured run."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from readbench.views.cli.options import AllocatorNames, Budgets, ObjectiveNames, OneSetting, SettingsFile, SuiteName
from readbench.views.cli.reading import join_lists, whole_number

SETTINGS = {"seeds": "seeds", "budgets": "budgets", "intervals": "num_intervals", "teacher": "teacher", "student": "student"}
Parameters = Annotated[Any, typer.Option(parser=whole_number, metavar="N", help="Parameters of the model, if it is not at hand (8e9).")]


def plan(
    *,
    suite: SuiteName,
    allocators: AllocatorNames = None,
    seeds: Annotated[str | None, typer.Option(metavar="N", help="How many seeds, or which ones.")] = None,
    budgets: Budgets = None,
    intervals: Annotated[int | None, typer.Option(metavar="T", help="In how many intervals the budget is allocated.")] = None,
    teacher: Annotated[str | None, typer.Option(metavar="MODEL", help="As for run.")] = None,
    student: Annotated[str | None, typer.Option(metavar="MODEL", help="As for run.")] = None,
    objectives: ObjectiveNames = None,
    hardware: Annotated[str | None, typer.Option(metavar="NAME", help="a100, h100, h200, l40s or rtx4090.")] = None,
    like: Annotated[Path | None, typer.Option(metavar="RUN", help="Take the speed of a run that was measured.")] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="Devices (or cores) at work at once.")] = 1,
    student_parameters: Parameters = None,
    teacher_parameters: Parameters = None,
    hour_price: Annotated[float | None, typer.Option(min=0, metavar="PRICE", help="Of one device for an hour.")] = None,
    config: SettingsFile = None,
    set_: OneSetting = None,
    as_json: Annotated[bool, typer.Option("--json", help="The reckoning on standard output as JSON.")] = False,
) -> None:
    """Reckon what a run would take: tokens by kind, device hours, storage and wall clock. Writes nothing."""
    given = locals()
    from readbench.base.errors import ConfigError
    from readbench.models.folder import resolve_model
    from readbench.runs.config import resolve
    from readbench.runs.plan import plan as planned_run
    from readbench.runs.planning.cost import Lengths, bill, parameters, rates_of
    from readbench.views.console.bill import show_bill
    from readbench.views.rates import measured_rates

    if (hardware is None) == (like is None):
        raise ConfigError("a plan needs the speed of something", hint="give --hardware NAME, or --like RUN")
    flags = {key: given[option] for option, key in SETTINGS.items() if given[option] not in (None, [])}
    for key, names in (("allocators", allocators), ("objectives", objectives)):
        if names:
            flags[key] = join_lists(names)
    resolved = resolve(suite, file=config, environment=os.environ, flags=flags, sets=set_ or [])
    planned, size = planned_run(resolved), parameters(resolved.config.student, student_parameters)
    if like is not None:
        rates = measured_rates(like)
    else:
        taught = parameters(resolved.config.teacher, teacher_parameters)
        lengths = Lengths.of(resolved.suite, resolve_model(resolved.config.student))
        rates = rates_of(str(hardware), resolved.config.training, lengths, student=size, teacher=taught)
    show_bill(bill(resolved, planned, rates, devices=devices, student=size), planned, hour_price=hour_price, as_json=as_json)
