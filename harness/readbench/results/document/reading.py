"""Reads results.json: refuses, in one line, a file that is damaged, of another schema or of another run."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from readbench.base.documents import check_values, typed
from readbench.base.errors import ConfigError, DamagedError, IncompleteRunError
from readbench.base.files import read_json, unsealed
from readbench.results.document.consistency import check_consistent
from readbench.results.document.model import RESULTS_SCHEMA, Results
from readbench.trials.record.run_files import read_run
from readbench.trials.spec import RunIdentity, settled, with_kinds

# settings that older results lack: they had their defaults
_ADDED_LATER = {"teacher_chat", "student_chat", "dev_every", "requirement", "identifier", "pilots"}


def load(path: Path) -> Results:
    """The results in a run directory or a file; ConfigError if it holds none, or they are damaged or of another schema.

    IncompleteRunError if the run has no results yet.
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
    check_values(document, f"{file} is damaged")  # values that the types of numbers and texts let pass
    results = _parsed(unsealed(document, file) if "digest" in document else document, file)
    check_consistent(results, str(file))
    if file != path and [trial.id for trial in results.trials] != [trial["id"] for trial in run["trials"]]:
        raise DamagedError(f"{file} belongs to another run", hint=f"rebuild it: readbench results {path}")
    return results


def _parsed(document: Mapping[str, Any], file: Path) -> Results:
    config = document.get("config")
    if isinstance(config, dict):
        config = settled(config)
        missing = sorted({field.name for field in fields(RunIdentity)} - config.keys() - _ADDED_LATER)
        if missing:
            raise ConfigError(f"{file} is damaged: config lacks {missing[0]}", hint="rebuild it: readbench results RUN")
        if isinstance(config["params"], dict) and all(isinstance(given, dict) for given in config["params"].values()):
            config["params"] = with_kinds(config["params"])
        document = {**document, "config": config}
    try:
        return typed(Results, document, f"{file} is damaged", key_is="key")
    except ConfigError as error:
        raise ConfigError(error.message, hint="rebuild it: readbench results RUN") from None


def json_schema() -> dict[str, Any]:
    """The JSON schema of what readbench writes, generated from the types."""
    schema = _closed(TypeAdapter(Results).json_schema(mode="serialization"))
    digest = {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Of everything else in the file, as readbench wrote it."}
    schema["properties"]["digest"] = digest
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"results.json of readbench, schema {RESULTS_SCHEMA}",
        "description": "Sorted keys, no NaN; timings only under seconds. Field by field: docs/results-schema.md.",
    }


def _closed(schema: Any) -> Any:
    """Refuses names that match no pattern, as the types do; leaves out titles, which repeat the names."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _closed(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return kept | ({"additionalProperties": False} if "patternProperties" in kept else {})
