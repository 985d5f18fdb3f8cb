"""Utility: the student's score on a suite's test set, by lm-eval.

lm-eval reads the suite's task (a YAML file in its own format, over JSON lines), builds the requests, and computes the metric;
the student answers through lm-eval's model interface with the same tokens as in training: the prompt rendered by
`readbench.models.text`, the target closed by EOS. For a `loglikelihood` task, `acc` is then exact match of greedy decoding.
lm-eval's task index, its caches, and the network are not used.
"""

import functools
import logging
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.evaluator import evaluate as lm_eval_evaluate
from lm_eval.tasks import TaskManager

from readbench.base.documents import read_json_lines
from readbench.base.errors import ConfigError
from readbench.models.language_model import LanguageModel
from readbench.suites.task import read_task


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The student's result on a test set."""

    utility: float  # `acc` in [0, 1]
    n: int  # questions
    tokens: int  # read by the student
    task: str
    version: str


def evaluate(model: LanguageModel, suite_folder: Path, task_file: str) -> Evaluation:
    """Scores the model on the task; ConfigError if the task cannot be read or needs generated text."""
    file = suite_folder / task_file
    if not file.is_file():
        raise ConfigError(f"task file {file} does not exist", hint="name an lm-eval task YAML in the suite's folder")
    name, version, loaded = _load(file, file.stat().st_mtime_ns)
    adapter = _Adapter(model)
    with redirect_stderr(StringIO()):  # progress bars of requests that take milliseconds
        outcome = lm_eval_evaluate(adapter, loaded, bootstrap_iters=0, log_samples=False)
    return Evaluation(
        utility=float(outcome["results"][name]["acc,none"]),
        n=int(outcome["n-samples"][name]["effective"]),
        tokens=adapter.tokens,
        task=name,
        version=version,
    )


@functools.lru_cache(maxsize=8)
def _load(file: Path, _changed_ns: int) -> tuple[str, str, Any]:
    """(task name, version, lm-eval's task dict); cached, since every trial in a process evaluates the same task."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns about every custom dataset
    task, config = read_task(file)
    questions = _questions(file.parent / task.data_file)
    # from memory: lm-eval would copy a JSON file into the datasets library's cache in the user's home
    config = {key: value for key, value in config.items() if key not in ("dataset_path", "dataset_name", "dataset_kwargs")}
    config["custom_dataset"] = lambda **_: {task.test_split: questions}
    loaded = TaskManager(include_defaults=False).load([config])
    return task.task, str(task.metadata.get("version", "")), loaded


def _questions(path: Path) -> Any:
    from datasets import Dataset

    lines = read_json_lines(path)
    if not lines:
        raise ConfigError(f"the test set {path} holds no questions", hint="one JSON object a line")
    try:
        return Dataset.from_list(lines)
    except (ValueError, TypeError, OverflowError) as error:  # Arrow: a column has one type, and its integers have 64 bits
        raise ConfigError(f"the test set {path} is not a table ({str(error).splitlines()[0]})", hint="give a field one type") from None


class _Adapter(LM):  # type: ignore[misc]
    """The model behind lm-eval's model interface."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self._model = model
        self.tokens = 0

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        encoded = [self._model.encode(*request.args) for request in requests]
        self.tokens += sum(len(example.tokens) for example in encoded)
        log_likelihood, greedy = self._model.log_likelihoods(encoded)
        return [(float(value), bool(match)) for value, match in zip(log_likelihood, greedy, strict=True)]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise NotImplementedError

    def generate_until(self, requests: list[Instance]) -> list[str]:
        raise NotImplementedError
