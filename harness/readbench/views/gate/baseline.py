"""The baseline file, schema 1: the raw values of one run by allocator, metric and seed, as JSON that is read in a diff.

The file is in the user's repository. A damaged file, or one of another schema, is an error and is never overwritten.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT, read_text, typed
from readbench.base.errors import ConfigError
from readbench.base.files import write_json
from readbench.results.document.model import Results
from readbench.results.scores import metric_values
from readbench.views.gate.measurement import Value, config_hash, measurement_of, settings_of

SCHEMA = 1
MAX_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Baseline:
    """The values that a run is compared with."""

    schema: int
    measurement: dict[str, Value]  # must be the run's
    settings: dict[str, Value]  # may differ: the change under test
    config_hash: str
    values: Annotated[dict[str, dict[str, dict[int, float]]], MinLen(1)]  # allocator → metric → seed


def baseline_of(results: Results) -> Baseline:
    """The baseline that results make: all of their metrics, whether or not they have a margin today."""
    values = metric_values(results)
    return Baseline(
        schema=SCHEMA,
        measurement=measurement_of(results),
        settings=settings_of(results, allocators=values),
        config_hash=config_hash(results),
        values=values,
    )


def read_baseline(path: Path) -> Baseline:
    """The file's baseline; ConfigError in one line that says what is wrong with it."""
    if not path.is_file():
        raise ConfigError(f"there is no baseline {path}", hint=f"make it from a run: readbench check RUN --baseline {path} --update")
    text = read_text(path, max_bytes=MAX_BYTES)
    hint = "restore it from version control, or delete it and make a new one with --update"
    try:
        document = json.loads(text)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema is None or "values" not in document:
            raise ConfigError(f"{path} is not a baseline", hint="give a file that `readbench check --update` made")
        if schema != SCHEMA:
            raise ConfigError(f"baseline {path} is of schema {schema}, this version reads {SCHEMA}", hint="make a new one with --update")
        return typed(Baseline, document, f"baseline {path}")
    except (ValueError, RecursionError) as error:
        found = "empty" if not text.strip() else f"damaged: {error}"
        raise ConfigError(f"baseline {path} is {found}", hint=hint) from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Writes the file in one step."""
    write_json(path, asdict(baseline))
