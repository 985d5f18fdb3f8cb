"""Probes and a test set that the student answers: what verifiers say of greedy texts, through lm-eval."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.api import Question
from readbench.base.errors import ConfigError
from readbench.students.objectives.sft import CrossEntropy
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.grading import Grader
from readbench.suites.probes import by_generation, by_likelihood
from readbench.suites.suite import Suite, load_suite
from support.suites import suite_text

LINES = [{"prompt": f"{n}?", "answer": f"It is {n % 3}.", "verifier": "number", "reference": str(n % 3)} for n in range(12)]
QUESTIONS = [Question(**line) for line in LINES]


@pytest.fixture(scope="module")
def taught(folder_of: Callable[[str], Path]) -> Student:
    """A student that writes "so 1" to everything: right by `number` in a third of the questions, never the reference's text."""
    training = TrainingConfig(learning_rate=1e-2, step_tokens=96, warmup_share=0.0)
    student = Student.load(folder_of("llama"), training=training, objective=CrossEntropy(), device="cpu")
    for step in range(60):
        student.train([student.model.encode(question.prompt, "so 1") for question in QUESTIONS], progress=(0.0, 0.1), seed=step)
    return student


def suite_of(folder: Path, lines: list[dict[str, Any]] = LINES, *, more: str = "") -> Suite:
    folder.mkdir(exist_ok=True)
    text = suite_text(math="jsonl: math.jsonl, weight: 1", facts="jsonl: math.jsonl", more=more)
    (folder / "suite.yaml").write_text(text.replace("{task: task.yaml}", "{generate: test.jsonl}"))
    (folder / "math.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    (folder / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load_suite(str(folder))


def test_the_verifier_scores_what_the_student_writes(taught: Student) -> None:
    model = taught.model
    encoded = [model.encode(question.prompt, question.answer) for question in QUESTIONS]
    likely, written = by_likelihood(model, encoded), by_generation(model, QUESTIONS, encoded, Grader(), max_new_tokens=8)
    assert written.score.tolist() == written.right.tolist() == [n % 3 == 1 for n in range(12)]
    assert not likely.right.any()
    assert np.array_equal(written.log_soft, likely.log_soft)
    answers = model.answer([question.prompt for question in QUESTIONS], max_new_tokens=8)
    assert {answer.text for answer in answers} == {"so 1"}
    assert written.tokens == likely.tokens + sum(e.prompt_length for e in encoded) + sum(answer.tokens for answer in answers)


def test_the_utility_is_the_share_of_verified_answers(taught: Student, tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "s")
    result = evaluate(taught.model, suite, Grader(), max_new_tokens=8)
    assert (result.utility, result.step_accuracy, result.n) == (4 / 12, 4 / 12, 12)
    prompts = taught.model.render([question.prompt for question in QUESTIONS])
    answers = taught.model.answer([question.prompt for question in QUESTIONS], max_new_tokens=8)
    assert result.tokens == sum(map(len, prompts)) + sum(answer.tokens for answer in answers)
    assert evaluate(taught.model, suite, Grader(), max_new_tokens=1).utility == 0  # cut before its number


def test_an_item_of_several_steps_needs_every_answer(taught: Student, tmp_path: Path) -> None:
    steps = [LINES[1], LINES[4], LINES[7], LINES[2]]
    lines = [line | {"item": n // 2, "capability": ("math", "facts")[n % 2]} for n, line in enumerate(steps)]
    suite = suite_of(tmp_path / "s", lines, more="composition: [{steps: [math, facts]}]\n")
    result = evaluate(taught.model, suite, Grader(), max_new_tokens=8)
    assert (result.utility, result.step_accuracy, result.n) == (1 / 2, 3 / 4, 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"verifier": "numbr"}, "line 1: unknown verifier 'numbr'"),
        ({"reference": "7"}, "line 1: its own answer is wrong by verifier 'number'"),
        ({"reference": "seven"}, "verifier number needs a number as the right answer, not 'seven'"),
        ({"answer": ""}, "line 1: 'answer' must be a text that is not empty"),
        ({"reference": 7}, "line 1: 'reference' must be a text that is not empty"),
    ],
)
def test_a_line_that_no_student_could_answer_is_refused(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        suite_of(tmp_path / "s", [LINES[0] | line])


def test_a_test_set_is_scored_in_one_way(tmp_path: Path) -> None:
    suite_of(tmp_path / "s")
    file = tmp_path / "s" / "suite.yaml"
    file.write_text(file.read_text().replace("{generate: test.jsonl}", "{generate: test.jsonl, task: task.yaml}"))
    with pytest.raises(ConfigError, match="test needs one of task, generate and lm_eval"):
        load_suite(str(file))
