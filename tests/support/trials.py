"""Trials in milliseconds: a student of a few thousand weights, a teacher that answers from a hash, a spec to change."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from readbench.api import Response, Scored, Vector
from readbench.runs.studies.lab import Recipe
from readbench.students.schedule import TrainingConfig
from readbench.trials.spec import TrialSpec

TINY = Recipe(width=16, layers=1, heads=2, inner=24, horizon_tokens=1, tokens=1, training=TrainingConfig(), shares={})
_SPEC = TrialSpec(
    suite="",
    suite_content="",
    allocator="uniform",
    params={},
    objective="sft",
    objective_params={},
    seed=0,
    budget_tokens=1500,
    num_intervals=3,
    teacher="lab/teacher",
    teacher_params={},
    teacher_fingerprint="",
    student="",
    student_fingerprint="",
    max_new_tokens=8,
    num_probes=4,
    num_dev=4,
    training=TrainingConfig(learning_rate=1e-2, step_tokens=128),
)


def spec_of(**changes: Any) -> TrialSpec:
    """A short trial with these fields changed."""
    return replace(_SPEC, **changes)


class Canned:
    """Answers each prompt with a few letters of its hash."""

    def fingerprint(self) -> str:
        return "canned"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        answers = [hashlib.blake2b(prompt.encode(), digest_size=2).hexdigest() for prompt in prompts]
        return [Response(text=answer, tokens=min(len(answer) + 1, max_new_tokens), finished=True) for answer in answers]

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        return [np.array([-0.25 - token % 5 for token in tokens[length:]], dtype=np.float64) for tokens, length in sequences]
