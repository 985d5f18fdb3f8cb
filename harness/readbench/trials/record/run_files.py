"""The files of a run directory other than its trials: ``run.json``, and the parts that are written while it runs, bound to it.

``run.json`` says what the run is, and is written first. A part holds what was measured before any trial, and carries the
digest of the ``run.json`` that it belongs to: a part copied from another run is refused.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readbench.base.documents import check_values
from readbench.base.errors import ConfigError, DamagedError
from readbench.base.files import read_json, sealed, unsealed, write_json
from readbench.trials.record.trial_file import find_trial

RUN_SCHEMA = 1
START = "start.json"  # what was measured before any trial
PILOT_FOLDER = "pilots"  # the pilots' records, each as a trial's
IDENTIFIED = "identified.json"  # the requirement that the identifier reads from the card
PILOTS = "pilots.json"  # what the pilots found, and the requirement that they infer
PROFILING = "profiling.json"  # the intervals of the pilot trials
STORED = "storage.json"  # where a cluster's tasks keep what they commit, while they run
SAMPLER = "sampler"  # the weights that a sampler takes over, while the run goes on
FINGERPRINT = "fingerprint.json"  # what the bits depend on, noted before any trial
_RUN_KEYS = {"config", "environment", "identity", "origins", "provenance", "run", "suite", "trials"}
_TRIAL_ID = re.compile("[0-9a-f]{16}")


def read_run(run_dir: Path) -> dict[str, Any]:
    """``run.json`` of a run directory; ConfigError if it is not one."""
    if not (run_dir / "run.json").is_file():
        raise ConfigError(f"{run_dir} is not a run directory (it has no run.json)", hint="give a directory that `readbench run` made")
    document = read_json(run_dir / "run.json")
    if not isinstance(document, dict) or document.get("schema") != RUN_SCHEMA:
        raise ConfigError(f"{run_dir / 'run.json'} is not of schema {RUN_SCHEMA}", hint="it was made by another version of readbench")
    missing = sorted(_RUN_KEYS - document.keys())
    if missing:
        raise ConfigError(f"{run_dir / 'run.json'} lacks {', '.join(missing)}", hint="it is damaged, or of another version of readbench")
    check_values(document, f"{run_dir / 'run.json'} is damaged")
    unsealed(document, run_dir / "run.json")
    _check_trial_names(document["trials"], str(run_dir / "run.json"))
    return document


def _check_trial_names(trials: Any, where: str) -> None:
    """ConfigError unless each trial's id is 16 hex digits: ids become paths."""
    ids = [trial.get("id") if isinstance(trial, dict) else None for trial in trials] if isinstance(trials, list) else [None]
    strange = [name for name in ids if not isinstance(name, str) or not _TRIAL_ID.fullmatch(name)]
    if strange:
        raise ConfigError(f"{where} is damaged: {strange[0]!r:.80} is not a trial id")


def read_part(run_dir: Path, name: str, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """`START`, `PILOTS` or `FINGERPRINT` of the run; None if it is not written yet; DamagedError if it is damaged or another run's."""
    path = run_dir / name
    if not path.is_file():
        return None
    document = read_json(path)
    content = unsealed(document if isinstance(document, dict) else {}, path)
    if content["of"] not in (run["digest"], *run.get("earlier", ())):  # a run that has grown had other digests before
        raise DamagedError(f"{path} belongs to another run", hint="restore this run's own")
    return content


def write_part(run_dir: Path, name: str, run: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Writes what `read_part` reads."""
    write_json(run_dir / name, sealed({**content, "of": run["digest"]}))


def groups(part: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What `PILOTS` or `PROFILING` hold, by objective and budget. An older part is one group, and does not say which."""
    if part is None:
        return []
    found: list[dict[str, Any]] = part["groups"] if "groups" in part else [dict(part)]
    return found


def group_of(part: Mapping[str, Any] | None, **wanted: str | int) -> Mapping[str, Any]:
    """The group with this objective or budget (``budget_tokens``); nothing if there is none."""
    return next((group for group in groups(part) if all(group.get(key, value) == value for key, value in wanted.items())), {})


def is_complete(run_dir: Path, trial: str) -> bool:
    """Whether that trial has ended well."""
    record = find_trial(run_dir / "trials" / trial)
    return record is not None and record.status == "complete"
