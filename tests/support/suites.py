"""Small suites: the text of a suite.yaml, the one task of all of them, and a folder that holds both with a test set."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

TASK = """
task: tiny
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


def suite_text(*, name: str = "mine", more: str = "", **capabilities: str) -> str:
    """A suite.yaml; each capability with its settings as YAML: ``math="source: lab.math, weight: 3"``."""
    listed = "".join(f"  {capability}: {{{settings}}}\n" for capability, settings in capabilities.items())
    head = f"schema: 1\nname: {name}\nversion: 1\nsummary: A suite.\ncard: For tests.\n"
    return f"{head}capabilities:\n{listed}test: {{task: task.yaml}}\n{more}"


def write_suite(folder: Path, suite: str, *, test: Iterable[Mapping[str, str]], task: str = TASK) -> Path:
    """Writes suite.yaml, task.yaml and test.jsonl; returns the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(suite)
    (folder / "task.yaml").write_text(task)
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in test))
    return folder
