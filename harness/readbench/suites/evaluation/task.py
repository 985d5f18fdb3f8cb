"""A suite's lm-eval task: the part of lm-eval's format that reads questions from a file and runs no code.

lm-eval's own format is code: ``!function``, ``process_docs`` and ``include`` name Python files, ``hf_evaluate`` loads a metric's script,
and every text is a Jinja template that lm-eval renders outside Jinja's sandbox. A suite may come from a stranger, so a task is read into
the schema below, and a template may only insert fields: ``{{question}}``, ``{{choices[0]}}``, ``{{meta.topic}}``.
"""

import re
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, MinLen
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT, read_yaml, typed
from readbench.base.errors import ConfigError

_FIELD = re.compile(r"\{\{-?\s*[A-Za-z]\w*(\.[A-Za-z]\w*|\[\d+\])*\s*-?\}\}")
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
Text = Annotated[str, MaxLen(4000)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DataFiles:
    """``dataset_kwargs``: for each split, a file of questions next to the task."""

    data_files: dict[str, str]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Accuracy:
    """An entry of ``metric_list``: the only metric that can be a utility."""

    metric: Literal["acc"]
    aggregation: Literal["mean"] = "mean"
    higher_is_better: Literal[True] = True


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Task:
    """What a task file may contain."""

    task: Annotated[str, MinLen(1), MaxLen(200)]
    dataset_path: Literal["json"]
    dataset_kwargs: DataFiles
    test_split: str
    output_type: Literal["loglikelihood", "multiple_choice"]
    doc_to_text: Text
    doc_to_target: Text | int
    doc_to_choice: Text | list[Text] | None = None
    description: Text = ""
    target_delimiter: Text = " "
    metric_list: Annotated[list[Accuracy], MinLen(1), MaxLen(1)]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def data_file(self) -> str:
        """The test set's file, next to the task."""
        return self.dataset_kwargs.data_files[self.test_split]


def read_task(path: Path) -> tuple[Task, dict[str, Any]]:
    """The task, and the document for lm-eval; ConfigError for keys outside the schema and for templates that are programs."""
    where = f"task file {path}"
    document = read_yaml(path)
    task = typed(Task, document, where)
    if task.test_split not in task.dataset_kwargs.data_files:
        raise ConfigError(f"{where}: dataset_kwargs.data_files has no {task.test_split!r}", hint="it must name the test_split's file")
    choices = task.doc_to_choice if isinstance(task.doc_to_choice, list) else [task.doc_to_choice]
    for template in (task.doc_to_text, task.doc_to_target, task.description, task.target_delimiter, *choices):
        if isinstance(template, str) and _TEMPLATE.search(_FIELD.sub("", template)):
            raise ConfigError(
                f"{where}: the template {template!r:.80} is more than text and fields",
                hint="write {{field}}, and prepare the rest in the file",
            )
    return task, document
