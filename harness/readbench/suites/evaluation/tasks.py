"""readbench's own lm-eval tasks: items of several steps, and answers that verifiers score."""

from collections.abc import Sequence
from typing import Any

from lm_eval.api.task import ConfigurableTask

from readbench.api import Question
from readbench.suites.grading import RIGHT, Grader


class StepsTask(ConfigurableTask):  # type: ignore[misc]
    """A task of steps: beside `acc`, the share of right steps, it has `items`, the share of items with every step right."""

    def __init__(self, *, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def process_results(self, doc: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        """Whether the step is right, alone and as a part of its item."""
        right = self.right(doc, results)
        return {"acc": right, "items": (doc["item"], right)}

    def right(self, doc: dict[str, Any], results: list[Any]) -> float:
        """1 if the step is right, else 0."""
        return float(super().process_results(doc, results)["acc"])

    def aggregation(self) -> dict[str, Any]:
        """The aggregation of each metric."""
        return {**super().aggregation(), "items": share_of_items}

    def higher_is_better(self) -> dict[str, bool]:
        """The direction of each metric."""
        return {**super().higher_is_better(), "items": True}


class VerifiedTask(StepsTask):
    """A task whose answers are generated; each question's own verifier says whether one is right."""

    def __init__(self, questions: Any, grader: Grader, *, name: str, max_new_tokens: int) -> None:
        """`questions`: a table with the columns of `rows`."""
        config = {
            "task": name,
            "custom_dataset": lambda **_: {"test": questions},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "prompt",
            "doc_to_target": "answer",
            "generation_kwargs": {"until": [], "max_gen_toks": max_new_tokens, "do_sample": False},
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        super().__init__(config=config)
        self._grader = grader

    def right(self, doc: dict[str, Any], results: list[Any]) -> float:
        """1 if the verifier accepts the answer, else 0."""
        question = Question(**{key: doc[key] for key in ("prompt", "answer", "verifier", "reference", "key")})
        return float(self._grader.score(question, results[0]) >= RIGHT)


def rows(questions: Sequence[Question], items: Sequence[int]) -> list[dict[str, Any]]:
    """The questions and the item of each, as lines of a `VerifiedTask`'s table."""
    return [
        {"item": item, "prompt": q.prompt, "answer": q.answer, "verifier": q.verifier, "reference": q.reference, "key": q.key}
        for q, item in zip(questions, items, strict=True)
    ]


def share_of_items(steps: list[tuple[int, float]]) -> float:
    """The share of items with every step right; a step is (item, 1 or 0)."""
    right: dict[int, bool] = {}
    for item, step in steps:
        right[item] = right.get(item, True) and bool(step)
    return sum(right.values()) / len(right)
