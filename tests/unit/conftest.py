"""Tiny random models as folders and as students."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from readbench.students.objectives.sft import CrossEntropy
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from support.models import byte_tokenizer, random_model


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("models")

    def folder(family: str) -> Path:
        path = root / family
        if not path.exists():
            random_model(family).save_pretrained(path)
            byte_tokenizer().save_pretrained(path)
        return path

    return folder


@pytest.fixture
def student_of(folder_of: Callable[[str], Path]) -> Callable[..., Student]:
    def load(family: str = "llama", **training: Any) -> Student:
        config = TrainingConfig(**{"learning_rate": 1e-2, "step_tokens": 96, **training})
        return Student.load(folder_of(family), training=config, objective=CrossEntropy(), device="cpu")

    return load


@pytest.fixture
def student(student_of: Callable[..., Student]) -> Student:
    return student_of()
