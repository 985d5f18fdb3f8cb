"""Questions from a table: a dataset of the hub by its id, or a parquet, CSV or JSON file of the suite, with its columns mapped."""

import csv
import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, MaxLen, MinLen
from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from readbench.api import Question
from readbench.base.documents import STRICT, read_json_lines, read_text
from readbench.base.errors import ConfigError, near_match
from readbench.base.hashing import named_hash
from readbench.suites.grading import Grader, check_answer, check_verifier
from readbench.suites.sources.listed import Listed, lengths

SUFFIXES = (".parquet", ".csv", ".json", ".jsonl")
_FIELD = re.compile(r"\{\{\s*([^{}\s]+?)\s*\}\}")
_MAX_BYTES = 1 << 28
Template = Annotated[str, MinLen(1), MaxLen(4000)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TableConfig:
    """Which table, and how a row becomes a question. A template is text with fields: ``{{question}}``, ``{{answers.text[0]}}``."""

    path: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")]  # a hub id, or a file in the folder of suite.yaml
    name: str | None = None  # the hub dataset's configuration
    split: str = "train"  # of a hub dataset
    revision: str | None = None  # of a hub dataset: a commit makes the data certain
    prompt: Template
    answer: Template
    reference: str = ""  # a template too; empty: the answer
    verifier: str = "exact"
    factors: tuple[str, ...] = field(default=())  # numeric columns that make a question harder; none: the lengths of prompt and answer
    rows: Annotated[int, Ge(1)] = 20_000  # the first so many

    @property
    def is_file(self) -> bool:
        """Whether it is a file next to suite.yaml."""
        return self.path.endswith(SUFFIXES)


class Table(Listed):
    """The questions of a table's rows, in its order."""

    def __init__(self, config: TableConfig, folder: Path) -> None:
        """ConfigError for a table that cannot be had, a column that it lacks, and a template that renders nothing."""
        check_verifier(config.verifier, f"dataset {config.path}: ")
        every = _file_rows(folder / config.path) if config.is_file else _hub_rows(config)
        questions, factors, grader = [], [], Grader()
        for number, row in enumerate(itertools.islice(every, config.rows)):
            where = f"dataset {config.path}, row {number}"
            questions.append(_question(config, row, where))
            check_answer(questions[-1], grader, where)
            factors.append(_factors(config, row, questions[-1], where))
        super().__init__(questions, factors, f"dataset {config.path}")
        self.content = named_hash((str(n), f"{q.prompt}\0{q.answer}\0{q.reference}".encode()) for n, q in enumerate(questions))


def open_table(config: TableConfig, folder: Path) -> Table:
    """The table; one of the hub is read once in a process."""
    return Table(config, folder) if config.is_file else _of_hub(config, folder)


@functools.lru_cache(maxsize=16)
def _of_hub(config: TableConfig, folder: Path) -> Table:
    return Table(config, folder)


def _file_rows(path: Path) -> Iterable[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if path.suffix == ".jsonl":
        return read_json_lines(path)
    text = read_text(path, max_bytes=_MAX_BYTES)
    if path.suffix == ".csv":
        return csv.DictReader(text.splitlines(keepends=True))
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON: {error}", hint="a file of one object a line ends in .jsonl") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path} must be a list of objects", hint="a file of one object a line ends in .jsonl")
    return rows


def _hub_rows(config: TableConfig) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset

    try:
        return load_dataset(config.path, config.name, split=config.split, revision=config.revision)  # type: ignore[no-any-return]
    except Exception as error:  # of the datasets library and the hub: missing, gated, offline, no such configuration or split
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"dataset {config.path!r} cannot be loaded: {reason:.300}",
            hint="check id, name and split; log in if it is gated; go online once, or name a file (parquet, csv, json, jsonl)",
        ) from None


def _question(config: TableConfig, row: Mapping[str, Any], where: str) -> Question:
    texts = {key: _rendered(getattr(config, key), row, f"{where}: {key}") for key in ("prompt", "answer")}
    reference = _rendered(config.reference, row, f"{where}: reference") if config.reference else ""
    return Question(**texts, reference=reference, verifier=config.verifier)


def _rendered(template: str, row: Mapping[str, Any], where: str) -> str:
    text = _FIELD.sub(lambda match: _value(match[1], row, where), template)
    if not text.strip():
        raise ConfigError(f"{where} renders nothing", hint="the columns that the template names are empty in this row")
    return text


def _value(path: str, row: Mapping[str, Any], where: str) -> str:
    """The field at a path such as ``answers.text[0]``."""
    value: Any = row
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        try:
            value = value[int(part[1:-1])] if part.startswith("[") else value[part]
        except (KeyError, IndexError, TypeError):
            raise ConfigError(f"{where}: there is no column {path!r}", hint=near_match(path, list(row))) from None
    return "" if value is None else str(value)


def _factors(config: TableConfig, row: Mapping[str, Any], question: Question, where: str) -> dict[str, float]:
    if not config.factors:
        return lengths(question)
    try:
        return {name: float(_value(name, row, where)) for name in config.factors}
    except ValueError:
        raise ConfigError(f"{where}: factors must be numbers") from None
