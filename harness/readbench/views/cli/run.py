"""``readbench run``: a grid of allocators × objectives × budgets × seeds on one suite."""

import os
from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.options import (
    AllocatorNames,
    Budgets,
    Executor,
    ObjectiveNames,
    OneSetting,
    OnlyTrial,
    RayAddress,
    Requirement,
    SettingsFile,
    StoragePlace,
    SuiteName,
)
from readbench.views.cli.reading import join_lists

SETTINGS = {  # option → the setting that it gives
    "allocators": "allocators",
    "seeds": "seeds",
    "budgets": "budgets",
    "intervals": "num_intervals",
    "teacher": "teacher",
    "teacher_url": "params.teacher.openai.url",
    "student": "student",
    "objectives": "objectives",
    "requirement": "requirement",
    "charge_pilots": "pilots.charged",
    "device": "device",
    "workers": "workers",
    "executor": "executor",
    "ray_address": "cluster.address",
    "storage": "cluster.storage",
    "only_trial": "only_trial",
    "track": "trackers",
    "spend_limit": "endpoint.spend_limit",
    "prices": "endpoint.prices",
}


def run(
    *,
    suite: SuiteName,
    allocators: AllocatorNames = None,
    seeds: Annotated[str | None, typer.Option(metavar="N", help="How many seeds (5 is 0 to 4), or which ones (3,7; one: 7,).")] = None,
    budgets: Budgets = None,
    intervals: Annotated[int | None, typer.Option(metavar="T", help="In how many intervals the budget is allocated.")] = None,
    teacher: Annotated[str | None, typer.Option(metavar="MODEL", help="lab/teacher, a model folder, a hub id, or PLUGIN:MODEL.")] = None,
    teacher_url: Annotated[str | None, typer.Option(metavar="URL", help="The endpoint of --teacher openai:MODEL, up to /v1.")] = None,
    student: Annotated[str | None, typer.Option(metavar="MODEL", help="lab/student, a model folder or a hub id.")] = None,
    objectives: ObjectiveNames = None,
    requirement: Requirement = None,
    charge_pilots: Annotated[bool, typer.Option("--charge-pilots", help="Trials that use the pilots pay for them.")] = False,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory; a finished or interrupted one is resumed.")] = None,
    config: SettingsFile = None,
    set_: OneSetting = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Trials at once; 0 is one per core.")] = None,
    executor: Executor = None,
    ray_address: RayAddress = None,
    storage: StoragePlace = None,
    only_trial: OnlyTrial = None,
    track: Annotated[list[str] | None, typer.Option(metavar="A,B", help="Trackers to tell (readbench list trackers); repeatable.")] = None,
    spend_limit: Annotated[
        str | None, typer.Option(metavar="N", help="Maximum spend on the teacher, in tokens or money (5 USD; needs --prices).")
    ] = None,
    prices: Annotated[str | None, typer.Option(metavar="FILE", help="Prices of the teacher's tokens, in YAML.")] = None,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Resume even if results may no longer be bit-identical; the run is marked.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the settings, their origins and the cost; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The results document on standard output.")] = False,
) -> None:
    """Distil a student under a token budget with each allocator, objective and budget."""
    given = locals()
    from readbench.runs.config import resolve
    from readbench.teachers.endpoint.settings import parse_spend_limit
    from readbench.views.console.text import write_line

    flags = {key: given[option] for option, key in SETTINGS.items() if given[option] is not False and given[option] not in (None, [], ())}
    for key in ("allocators", "objectives", "trackers"):
        if key in flags:
            flags[key] = join_lists(flags[key])
    if spend_limit is not None:
        flags["endpoint.spend_limit"] = parse_spend_limit(spend_limit)
    names = {key: option.replace("_", "-") for option, key in SETTINGS.items()}
    resolved = resolve(suite, file=config, environment=os.environ, flags=flags, flag_names=names, sets=set_ or [])
    for warning in resolved.warnings:
        write_line(f"warning: {warning}")

    if dry_run:
        from readbench.runs.plan import plan
        from readbench.views.console.plan import show_plan

        planned = plan(resolved)
        for warning in planned.warnings:
            write_line(f"warning: {warning}")
        show_plan(resolved, planned, as_json=as_json)
        return
    from readbench.runs.plan import default_run_dir
    from readbench.views.cli.session import follow

    follow(out if out is not None else default_run_dir(resolved), resolved, allow_drift=allow_drift, as_json=as_json)
