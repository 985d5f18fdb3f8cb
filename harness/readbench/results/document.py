"""results.json, schema 1: everything that a run has to tell, rebuilt from its trials' records (see docs/results-schema.md).

Two runs of one config differ nowhere but in ``seconds``, ``run`` and ``environment``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from readbench.base.documents import check_values
from readbench.base.errors import ConfigError, DamagedError, IncompleteRunError
from readbench.base.files import file_hashes, read_json, sealed, unsealed, write_json
from readbench.results.consistency import check_consistent
from readbench.teachers.spend.ledger import read_spent
from readbench.trials import metrics
from readbench.trials.events import interval_document, named
from readbench.trials.record.run_files import FINGERPRINT, START, read_part, read_run
from readbench.trials.record.trial_file import AGAIN, TrialRecord, find_trial
from readbench.trials.spec import trial_id

RESULTS_SCHEMA = 1


def load(path: Path) -> dict[str, Any]:
    """The results document of a run directory, or in a file; ConfigError where it is none, damaged or of another schema.

    IncompleteRunError where the run has not got as far as results.
    """
    file = path
    if not path.is_file():
        run = read_run(path)
        file = path / "results.json"
        if not file.is_file():
            raise IncompleteRunError(f"{path} has no results yet", hint=f"readbench resume {path}")
    document = read_json(file)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != RESULTS_SCHEMA:
        found = "holds no results of readbench" if schema is None else f"is of schema {schema!r}, this version reads {RESULTS_SCHEMA}"
        raise ConfigError(f"{file} {found}", hint="give a run directory, or rebuild its results: readbench results RUN")
    check_values(document, f"{file} is damaged")  # what the schema's numbers and texts let pass
    _validate(document, file)
    check_consistent(document, str(file))
    content = unsealed(document, file) if "digest" in document else dict(document)
    if file != path and [trial["id"] for trial in content["trials"]] != [trial["id"] for trial in run["trials"]]:
        raise DamagedError(f"{file} belongs to another run", hint=f"rebuild it: readbench results {path}")
    return content


def _validate(document: Any, file: Path) -> None:
    """ConfigError that names the first place at which the document departs from the schema."""
    from jsonschema import Draft202012Validator  # late: only reading needs it
    from jsonschema.exceptions import best_match

    schema = json.loads((resources.files("readbench.results") / "schemas" / f"results-{RESULTS_SCHEMA}.json").read_text(encoding="utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(document))
    if error is not None:
        reason = error.message if len(error.message) < 200 else f"{error.message[:200]}..."
        raise ConfigError(f"{file} is damaged: {error.json_path}: {reason}", hint="rebuild it: readbench results RUN")


def rebuild(run_dir: Path) -> dict[str, Any]:
    """Writes ``results.json`` from the trials' records and returns it; DamagedError where anything of the run is damaged or lacking."""
    document = gather(run_dir)
    for trial in document["trials"]:
        if trial["status"] == "complete":
            if document["start"] is None:
                raise IncompleteRunError(f"{run_dir / START} is missing", hint=f"readbench resume {run_dir}")
            _check_student(run_dir / "trials" / trial["id"])
    write_json(run_dir / "results.json", sealed(document))
    return document


def gather(run_dir: Path) -> dict[str, Any]:
    """The results document made of the trials' records, whether they are complete or not; writes nothing."""
    run = read_run(run_dir)
    start = read_part(run_dir, START, run)
    surroundings = read_part(run_dir, FINGERPRINT, run)
    if surroundings is None and (run_dir / "trials").exists():
        raise DamagedError(f"{run_dir / FINGERPRINT} is missing", hint="restore it, or begin again with another --out")
    capabilities = run["suite"]["capabilities"]
    return {
        "schema": RESULTS_SCHEMA,
        "run": run["run"],
        "suite": {
            "name": run["suite"]["name"],
            "version": run["suite"]["version"],
            "capabilities": capabilities,
            "requirement": named(capabilities, run["suite"]["requirement"]),
            "margins": run["suite"]["margins"],
        },
        "config": run["identity"],
        "provenance": run["provenance"],
        "environment": run["environment"]
        | {key: value for key, value in run["config"].items() if key not in run["identity"]}
        | {"fingerprint": None, "drift": [], "spend": _spend(run_dir)}
        | {key: value for key, value in (surroundings or {}).items() if key != "of"},
        "start": None if start is None else _start(capabilities, start),
        "trials": [_trial(run_dir, run, start, entry) for entry in run["trials"]],
    }


def _spend(run_dir: Path) -> dict[str, int] | None:
    """What a paid teacher was charged with, so far."""
    spent = read_spent(run_dir)
    return None if spent is None else asdict(spent)


def _check_student(folder: Path) -> None:
    """DamagedError that names the file of the final student that is not what the trial's record says."""
    record = find_trial(folder)
    expected = {} if record is None or record.final is None else record.final["student"]
    found = file_hashes(folder / "student")
    for name in sorted(expected):
        if found.get(name) != expected[name]:
            what = "is missing" if name not in found else "is damaged: its content is not what was written"
            raise DamagedError(f"{folder / 'student' / name} {what}", hint=AGAIN)


def _start(capabilities: Sequence[str], start: Mapping[str, Any]) -> dict[str, Any]:
    profile, teacher_answers = start["teacher"]["profile"], start["teacher"]["answers"] or [None] * len(capabilities)
    shown = zip(capabilities, start["student"]["samples"], teacher_answers, start["student"]["answers"], strict=True)
    return {
        "utility": start["student"]["utility"],
        "teacher_profile": None if profile is None else named(capabilities, profile),
        "tokens": {"probe": start["teacher"]["tokens"], "eval": start["student"]["tokens"]},
        "examples": [{"capability": name, **question, "teacher": teacher, "before": before} for name, question, teacher, before in shown],
    }


def _trial(run_dir: Path, run: Mapping[str, Any], start: Mapping[str, Any] | None, entry: Mapping[str, Any]) -> dict[str, Any]:
    folder = run_dir / "trials" / entry["id"]
    record = find_trial(folder)
    if record is not None and trial_id(record.spec) != entry["id"]:
        raise DamagedError(f"{folder / 'trial.sqlite'} is of trial {trial_id(record.spec)}, not of {entry['id']}", hint=AGAIN)
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
        "dev_utility_before": None if record is None or record.start is None else record.start["dev_utility"],
        "intervals": [] if record is None else [interval_document(run["suite"]["capabilities"], interval) for interval in record.intervals],
    }
    if not complete or record is None or start is None:
        return base | dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    return base | _summary(run["suite"], record, start)


def _summary(suite: Mapping[str, Any], record: TrialRecord, start: Mapping[str, Any]) -> dict[str, Any]:
    """What a complete trial comes to."""
    if record.start is None or record.final is None or len(record.intervals) != record.spec["num_intervals"]:
        raise DamagedError(f"trial {trial_id(record.spec)} is complete but lacks its start, its end or an interval", hint=AGAIN)
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
        "profile": {"before": named(capabilities, first["profile"]), "after": named(capabilities, intervals[-1]["profile"])},
        "exact_match": {"before": named(capabilities, first["exact_match"]), "after": named(capabilities, intervals[-1]["exact_match"])},
        "allocation": named(capabilities, (charged @ allocations / max(charged.sum(), 1)).tolist()),
        "answers": named(capabilities, final["answers"]),
        "seconds": _seconds([first["seconds"], *record.seconds, final["seconds"]]),
    }


def _seconds(laps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {phase: sum(lap[phase] for lap in laps) for phase in laps[0]}
