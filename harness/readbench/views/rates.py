"""The speed of a run that was measured, for reckoning another one on the same machine."""

from pathlib import Path

from readbench.base.errors import ConfigError
from readbench.results.document.model import CompleteTrial
from readbench.results.document.reading import load
from readbench.runs.planning.cost import Rates
from readbench.teachers.spend.forecast import shared

_PHASES = {"trained": "train", "rollout": "rollout", "probe": "probe", "eval": "eval"}


def measured_rates(run_dir: Path) -> Rates:
    """Tokens a second of one worker, by kind; ConfigError where the run has no finished trial.

    Scored tokens are read in training, and their time is in it. A kind that the run did not have is taken as that of training.
    """
    results = load(run_dir)
    trials = [trial for trial in results.trials if isinstance(trial, CompleteTrial)]
    if not trials:
        raise ConfigError(f"{run_dir} has no finished trial to measure by", hint="give a run that has ended")
    tokens = {"probe": sum(trial.tokens.probe + trial.tokens.dev for trial in trials)}
    tokens |= {kind: sum(getattr(trial.tokens, kind) for trial in trials) for kind in ("trained", "rollout", "eval")}
    seconds = {kind: sum(getattr(trial.seconds, phase) for trial in trials) for kind, phase in _PHASES.items()}
    by_seed = [[trial.tokens.generated for trial in trials if trial.seed == seed] for seed in {trial.seed for trial in trials}]
    tokens["generated"] = round(sum(map(shared, by_seed)))
    seconds["generated"] = sum(trial.seconds.teacher for trial in trials)
    rates = {kind: tokens[kind] / seconds[kind] for kind in tokens if tokens[kind] and seconds[kind]}
    known = sum(seconds.values())
    rest = max(sum(trial.seconds.total for trial in trials) - known, 0.0) / len(trials)
    fallback = {kind: rates["trained"] for kind in ("scored", "rollout") if kind not in rates}
    return Rates(of={**rates, **fallback}, rest=rest, source=f"measured in {run_dir.name}, {len(trials)} trials")
