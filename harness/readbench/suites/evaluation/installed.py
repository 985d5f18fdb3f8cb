"""Tests by the names of tasks that lm-eval installs: gsm8k, ifeval, mmlu_pro ... What they ask, how often, and what is right is theirs.

Their files may run Python, and that is lm-eval's own: only a name in its index is loaded, never a path. A task that runs what the student
wrote is refused by lm-eval itself. The datasets come from the hub, or from its cache.
"""

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager

from readbench.base.errors import ConfigError, near_match
from readbench.suites.evaluation.repeating import repeating

_FLEXIBLE = "flexible-extract"  # of a task's filters, the one that forgives the form of an answer


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The tasks that a suite names."""

    by_name: Mapping[str, tuple[ConfigurableTask, ...]]  # a group has several
    loaded: Any  # lm-eval's task dict

    def prompts(self) -> list[str]:
        """What the tasks ask, without the examples that lm-eval shows first."""
        return [_text(task, doc) for tasks in self.by_name.values() for task in tasks for doc in task.eval_docs]

    def shares(self, outcome: Mapping[str, Any]) -> tuple[dict[str, float], int]:
        """From lm-eval's outcome, the share of right answers in [0, 1] by name, and the number of questions; ConfigError without one.

        The share is the first metric that a task names, by its most forgiving filter; a group's is weighted by its tasks' questions.
        """
        found, total = {}, 0
        for name, tasks in self.by_name.items():
            counts = [int(outcome["n-samples"][task.task_name]["effective"]) for task in tasks]
            values = [_share(task, outcome["results"][task.task_name]) for task in tasks]
            found[name] = float(np.average(values, weights=counts))
            total += sum(counts)
        return found, total

    def version(self) -> str:
        """The tasks' own versions."""
        return ", ".join(f"{task.task_name} {task.VERSION}" for tasks in self.by_name.values() for task in tasks)


@functools.lru_cache(maxsize=2)
def load_installed(names: tuple[str, ...]) -> Installed:
    """The tasks of those names; ConfigError for an unknown name, and for a dataset that cannot be had."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = _manager()
    for name in names:
        if name not in manager.task_index:
            raise ConfigError(f"lm-eval has no task {name!r}", hint=near_match(name, manager.all_tasks))
    by_name: dict[str, tuple[ConfigurableTask, ...]] = {}
    for name in names:
        try:
            loaded = manager.load([name])
        except Exception as error:  # of the datasets library, the hub, or the task's own code
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"lm-eval's task {name!r} cannot be loaded: {reason:.300}",
                hint="it needs its dataset from the hub: go online once, log in if it is gated, or name another task",
            ) from None
        by_name[name] = tuple(loaded["tasks"].values())
    return Installed(by_name=by_name, loaded=repeating(manager.load([task for tasks in by_name.values() for task in tasks])))


@functools.cache
def _manager() -> TaskManager:
    """lm-eval's index of its tasks; made once, since that takes seconds."""
    return TaskManager()


def _text(task: ConfigurableTask, doc: Mapping[str, Any]) -> str:
    text = task.doc_to_text(doc)
    return text if isinstance(text, str) else " ".join(str(value) for value in doc.values())  # some tasks give the number of a choice


def _share(task: ConfigurableTask, scores: Mapping[str, Any]) -> float:
    """The value of a task's first metric."""
    metric = str(task.config.metric_list[0]["metric"]) if task.config.metric_list else "acc"
    values = {key.partition(",")[2]: value for key, value in scores.items() if key.partition(",")[0] == metric}
    value = values.get(_FLEXIBLE, next(iter(values.values()), None))
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"lm-eval's task {task.task_name!r} has no share of right answers: its {metric} is {value}")
    return float(value)
