"""results.json, schema 1: everything that a run has to tell, rebuilt from its trials' records (see docs/results-schema.md).

Two runs of one config differ nowhere but in ``seconds``, ``run`` and ``environment``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from readbench import metrics
from readbench.config import NOT_IDENTITY
from readbench.errors import ConfigError, IncompleteRunError
from readbench.files import read_json, write_json
from readbench.store import TrialRecord, read_trial

RUN_SCHEMA = 1
RESULTS_SCHEMA = 1


def read_run(run_dir: Path) -> dict[str, Any]:
    """``run.json`` of a run directory; ConfigError where it is not one."""
    if not (run_dir / "run.json").is_file():
        raise ConfigError(f"{run_dir} is not a run directory (it has no run.json)", hint="give a directory that `readbench run` made")
    document = read_json(run_dir / "run.json")
    if not isinstance(document, dict) or document.get("schema") != RUN_SCHEMA:
        raise ConfigError(f"{run_dir / 'run.json'} is not of schema {RUN_SCHEMA}", hint="it was made by another version of readbench")
    return document


def is_complete(run_dir: Path, trial: str) -> bool:
    """Whether that trial has ended well."""
    folder = run_dir / "trials" / trial
    return (folder / "trial.sqlite").is_file() and read_trial(folder).status == "complete"


def load(run_dir: Path) -> dict[str, Any]:
    """The results document of a run that has ended."""
    read_run(run_dir)
    path = run_dir / "results.json"
    if not path.is_file():
        raise IncompleteRunError(f"{run_dir} has no results yet", hint=f"readbench resume {run_dir}")
    document = read_json(path)
    if not isinstance(document, dict) or document.get("schema") != RESULTS_SCHEMA:
        raise ConfigError(f"{path} is not of schema {RESULTS_SCHEMA}", hint=f"readbench results {run_dir}")
    return document


def rebuild(run_dir: Path) -> dict[str, Any]:
    """Writes ``results.json`` from the trials' records and returns it."""
    run = read_run(run_dir)
    start = read_json(run_dir / "start.json") if (run_dir / "start.json").is_file() else None
    capabilities = run["suite"]["capabilities"]
    document = {
        "schema": RESULTS_SCHEMA,
        "run": run["run"],
        "suite": {
            "name": run["suite"]["name"],
            "version": run["suite"]["version"],
            "capabilities": capabilities,
            "requirement": _named(capabilities, run["suite"]["requirement"]),
        },
        "config": {key: value for key, value in run["config"].items() if key not in NOT_IDENTITY},
        "environment": run["environment"]
        | {key: run["config"][key] for key in NOT_IDENTITY}
        | {"fingerprint": None if start is None else start["fingerprint"]},
        "start": None if start is None else _start(capabilities, start),
        "trials": [_trial(run_dir, run, start, entry) for entry in run["trials"]],
    }
    write_json(run_dir / "results.json", document)
    return document


def _named(capabilities: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(capabilities, values, strict=True))


def _start(capabilities: Sequence[str], start: Mapping[str, Any]) -> dict[str, Any]:
    profile = start["teacher"]["profile"]
    return {
        "utility": start["student"]["utility"],
        "teacher_profile": None if profile is None else _named(capabilities, profile),
        "tokens": {"probe": start["teacher"]["tokens"], "eval": start["student"]["tokens"]},
    }


def _trial(run_dir: Path, run: Mapping[str, Any], start: Mapping[str, Any] | None, entry: Mapping[str, Any]) -> dict[str, Any]:
    folder = run_dir / "trials" / entry["id"]
    begun = (folder / "trial.sqlite").is_file()
    record = read_trial(folder) if begun else None
    complete = record is not None and record.status == "complete" and start is not None
    base = {
        "id": entry["id"],
        "allocator": entry["allocator"],
        "seed": entry["seed"],
        "objective": run["config"]["objective"],
        "budget_tokens": run["config"]["budget_tokens"],
        "params": {} if record is None else record.spec["params"],
        "status": "incomplete" if record is None else record.status,
        "failure": None if record is None else record.failure,
        "intervals": [] if record is None else [_interval(run["suite"]["capabilities"], interval) for interval in record.intervals],
    }
    if not complete or record is None or start is None:
        return base | dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "seconds"))
    return base | _summary(run["suite"], record, start)


def _summary(suite: Mapping[str, Any], record: TrialRecord, start: Mapping[str, Any]) -> dict[str, Any]:
    """What a complete trial comes to."""
    if record.start is None or record.final is None:
        raise ConfigError(f"trial {record.spec} is complete but lacks its start or its end", hint="it is damaged")
    capabilities = suite["capabilities"]
    requirement = np.array(suite["requirement"])
    first, intervals, final = record.start, record.intervals, record.final
    profiles = np.array([first["profile"], *(interval["profile"] for interval in intervals)])  # (T + 1, K)
    charged = np.array([interval["charged"] for interval in intervals], dtype=np.int64)  # (T,)
    dev = np.array([first["dev_utility"], *(interval["dev_utility"] for interval in intervals)])  # (T + 1,)
    allocations = np.array([interval["allocation"] for interval in intervals])  # (T, K)
    before = start["student"]["utility"]
    return {
        "tokens": {
            "generated": sum(interval["tokens"]["generated"] for interval in intervals),
            "trained": sum(interval["tokens"]["trained"] for interval in intervals),
            "probe": first["tokens"]["probe"] + sum(interval["tokens"]["probe"] for interval in intervals),
            "dev": first["tokens"]["dev"] + sum(interval["tokens"]["dev"] for interval in intervals),
            "eval": final["tokens"]["eval"],
        },
        "metrics": {
            "utility": final["utility"],
            "utility_before": before,
            "utility_gain": final["utility"] - before,
            "profile_gain": metrics.profile_gain(profiles[0], profiles[-1], requirement),
            "spillover": metrics.spillover(profiles, requirement, top_k=suite["top_k"]),
            "collateral": metrics.collateral(profiles[0], profiles[-1], requirement),
            "waste": metrics.waste(charged, np.diff(profiles, axis=0) @ requirement, np.array([i["epsilon"] for i in intervals])),
            "auc": metrics.auc(charged, dev, record.spec["budget_tokens"]),
        },
        "profile": {"before": _named(capabilities, first["profile"]), "after": _named(capabilities, intervals[-1]["profile"])},
        "exact_match": {"before": _named(capabilities, first["exact_match"]), "after": _named(capabilities, intervals[-1]["exact_match"])},
        "allocation": _named(capabilities, (charged @ allocations / max(charged.sum(), 1)).tolist()),
        "seconds": _seconds([first["seconds"], *record.seconds, final["seconds"]]),
    }


def _seconds(laps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {phase: sum(lap[phase] for lap in laps) for phase in laps[0]}


def _interval(capabilities: Sequence[str], record: Mapping[str, Any]) -> dict[str, Any]:
    """An interval's record with the capabilities' names."""
    by_capability = ("requested", "allocation", "profile", "exact_match", "train_loss", "examples")
    kept = ("interval", "tokens", "dev_utility", "reward", "epsilon")
    return {key: _named(capabilities, record[key]) for key in by_capability} | {key: record[key] for key in kept}
