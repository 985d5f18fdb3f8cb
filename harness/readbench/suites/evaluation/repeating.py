"""lm-eval's tasks, made to ask every model of a process the same, and to prepare their questions once."""

import functools
from collections.abc import Callable
from typing import Any

from lm_eval.api.task import Task

_FEWSHOT_SEED = 1234  # lm-eval's own default; without one it draws the examples that it shows from the system's noise


def repeating(loaded: Any) -> Any:
    """lm-eval's task dict, whose tasks show the same examples each time and render their templates once."""
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(_FEWSHOT_SEED)
        task.build_all_requests = functools.partial(_build_once, task, task.build_all_requests)
    return loaded


def _build_once(task: Task, build: Callable[..., None], **asked: Any) -> None:
    """The requests of the first time, without the answers of the last."""
    if getattr(task, "_instances", None) is None:
        build(**asked)
    for instance in task.instances:
        instance.resps, instance.filtered_resps = [], {}
