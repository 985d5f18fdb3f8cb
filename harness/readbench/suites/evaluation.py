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
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate as lm_eval_evaluate
from lm_eval.tasks import TaskManager

from readbench.base.documents import read_json_lines
from readbench.base.errors import ConfigError
from readbench.models.language_model import LanguageModel
from readbench.suites.task import read_task


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The student's result on a test set."""

    utility: float  # `acc` in [0, 1]; of a joint task, the share of items with every step right
    step_accuracy: float  # the share of right steps; the utility, where an item is one question
    n: int  # questions; of a joint task, items
    tokens: int  # read by the student
    task: str
    version: str


class JointTask(ConfigurableTask):  # type: ignore[misc]
    """A task whose questions are steps: beside `acc`, the share of right steps, it has `items`, the share of items right in every step."""

    def __init__(self, *, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def process_results(self, doc: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        """Whether the step is right, alone and as a part of its item."""
        right = super().process_results(doc, results)["acc"]
        return {"acc": right, "items": (doc["item"], right)}

    def aggregation(self) -> dict[str, Any]:
        """The aggregation of each metric."""
        return {**super().aggregation(), "items": share_of_items}

    def higher_is_better(self) -> dict[str, bool]:
        """The direction of each metric."""
        return {**super().higher_is_better(), "items": True}


def share_of_items(steps: list[tuple[int, float]]) -> float:
    """The share of items with every step right; a step is (item, 1 or 0)."""
    right: dict[int, bool] = {}
    for item, step in steps:
        right[item] = right.get(item, True) and bool(step)
    return sum(right.values()) / len(right)


def evaluate(model: LanguageModel, suite_folder: Path, task_file: str, *, joint: bool = False) -> Evaluation:
    """Scores the model on the task; ConfigError if the task cannot be read or needs generated text."""
    file = suite_folder / task_file
    if not file.is_file():
        raise ConfigError(f"task file {file} does not exist", hint="name an lm-eval task YAML in the suite's folder")
    name, version, loaded, num_items = _load(file, file.stat().st_mtime_ns, joint)
    adapter = _Adapter(model)
    with redirect_stderr(StringIO()):  # progress bars of requests that take milliseconds
        outcome = lm_eval_evaluate(adapter, loaded, bootstrap_iters=0, log_samples=False)
    scores = outcome["results"][name]
    return Evaluation(
        utility=float(scores["items,none" if joint else "acc,none"]),
        step_accuracy=float(scores["acc,none"]),
        n=num_items,
        tokens=adapter.tokens,
        task=name,
        version=version,
    )


@functools.lru_cache(maxsize=8)
def _load(file: Path, _changed_ns: int, joint: bool) -> tuple[str, str, Any, int]:
    """(task name, version, lm-eval's task dict, items); cached, since every trial in a process evaluates the same task."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns about every custom dataset
    task, config = read_task(file)
    questions = _questions(file.parent / task.data_file)
    # from memory: lm-eval would copy a JSON file into the datasets library's cache in the user's home
    config = {key: value for key, value in config.items() if key not in ("dataset_path", "dataset_name", "dataset_kwargs")}
    config["custom_dataset"] = lambda **_: {task.test_split: questions}
    if joint:
        config["class"] = JointTask
    loaded = TaskManager(include_defaults=False).load([config])
    num_items = len(set(questions["item"])) if joint else len(questions)
    return task.task, str(task.metadata.get("version", "")), loaded, num_items


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
