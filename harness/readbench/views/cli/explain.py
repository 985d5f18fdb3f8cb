"""``readbench explain``: what an allocator chose between at each interval, and what it expected."""

from pathlib import Path
from typing import Annotated

import typer

from readbench.views.cli.reading import token_count


def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    *,
    allocator: Annotated[str, typer.Option(metavar="NAME", help="Whose trial.", show_default=False)],
    seed: Annotated[int, typer.Option(metavar="N", help="Which of its trials.")] = 0,
    objective: Annotated[str, typer.Option(metavar="NAME", help="Which objective, if the run has several.")] = "",
    budget: Annotated[int | None, typer.Option(metavar="TOKENS", parser=token_count, help="Which budget, likewise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The intervals with all candidates on standard output.")] = False,
) -> None:
    """Show each decision of a trial with what the allocator knew and expected."""
    from readbench.base.errors import ConfigError, near_match
    from readbench.trials.record.run_files import read_run
    from readbench.trials.record.trial_file import find_trial
    from readbench.views.console.studies.explained import show_decisions

    run = read_run(run_dir)
    trials = run["trials"]
    names = {"allocator": "allocator", "objective": "objective", "budget_tokens": "budget", "seed": "seed"}
    for key, wanted in zip(names, (allocator, objective, budget, seed), strict=True):
        if wanted in ("", None):
            continue
        known = [str(each) for each in dict.fromkeys(trial.get(key) for trial in trials)]
        trials = [trial for trial in trials if trial.get(key) == wanted]
        if not trials:
            hint = near_match(wanted, known) if isinstance(wanted, str) else f"it has {', '.join(known)}"
            raise ConfigError(f"the run has no {names[key]} {wanted!r}{f' of {allocator}' if key == 'seed' else ''}", hint=hint)
    if len(trials) > 1:
        axes = [names[key] for key in ("objective", "budget_tokens") if len({trial[key] for trial in trials}) > 1]
        raise ConfigError(f"{len(trials)} trials of {allocator} have seed {seed}", hint=f"name one with --{' and --'.join(axes)}")
    record = find_trial(run_dir / "trials" / trials[0]["id"])
    if record is None or not record.intervals:
        raise ConfigError(f"{allocator} seed {seed} has no interval yet", hint=f"readbench resume {run_dir}")
    show_decisions(run["suite"]["capabilities"], record, as_json=as_json)
