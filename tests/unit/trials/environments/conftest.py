"""A suite of three capabilities, a student of a few thousand weights and a teacher that answers from a hash: a trial in milliseconds."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from readbench.api import Response, Vector
from readbench.runs.studies.lab import Recipe, write_blank
from readbench.students.schedule import TrainingConfig
from readbench.suites.suite import load_suite
from readbench.teachers.cached import CachedTeacher
from readbench.teachers.responses import ResponseCache
from readbench.trials.environments.distillation import Distillation
from readbench.trials.resources import Setting
from readbench.trials.spec import TrialSpec

TINY = Recipe(width=16, layers=1, heads=2, inner=24, horizon_tokens=1, tokens=1, training=TrainingConfig(), shares={})
SUITE = """
schema: 1
name: tiny
version: 1
summary: Three capabilities, of which one is not needed.
card: For tests.
capabilities:
  math: {source: lab.math, weight: 3}
  code: {source: lab.code, weight: 1}
  tool_use: {source: lab.tool_use}
test: {task: task.yaml}
reward: {beta: 2.0, cost: 0.25, top_k: 1}
"""
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
SPEC = TrialSpec(
    suite="",
    suite_content="",
    allocator="uniform",
    params={},
    objective="sft",
    objective_params={},
    seed=5,
    budget_tokens=1000,
    num_intervals=3,
    teacher="",
    teacher_params={},
    teacher_fingerprint="",
    student="",
    student_fingerprint="",
    max_new_tokens=8,
    num_probes=4,
    num_dev=3,
    training=TrainingConfig(learning_rate=1e-2, step_tokens=128),
)


class Canned:
    """Answers each prompt with a few letters of its hash."""

    def fingerprint(self) -> str:
        return "canned"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        answers = [hashlib.blake2b(prompt.encode(), digest_size=2).hexdigest() for prompt in prompts]
        return [Response(text=answer, tokens=min(len(answer) + 1, max_new_tokens), finished=True) for answer in answers]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "task.yaml").write_text(TASK)
    (folder / "test.jsonl").write_text('{"prompt": "1+1=?", "answer": "2"}\n')
    write_blank(folder / "student", TINY)
    teacher = CachedTeacher(Canned(), ResponseCache(folder / "responses.sqlite"))
    return Setting(load_suite(str(folder)), student_path=folder / "student", teacher=teacher, device="cpu", num_probes=4, num_dev=3)


@pytest.fixture
def make(setting: Setting) -> Callable[..., Distillation]:
    """Makes environments of one seed, with what is changed in their spec."""

    def made(teacher_profile: Vector | None = None, **changed: Any) -> Distillation:
        return Distillation(replace(SPEC, **changed), setting, teacher_profile)

    return made


@pytest.fixture
def begun(make: Callable[..., Distillation]) -> Callable[..., Distillation]:
    """Likewise, with the start measured."""

    def made(**changed: Any) -> Distillation:
        environment = make(**changed)
        environment.begin()
        return environment

    return made
