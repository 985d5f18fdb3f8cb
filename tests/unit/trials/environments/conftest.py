"""A suite of three capabilities, a student of a few thousand weights and a teacher that answers from a hash: a trial in milliseconds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from readbench.api import Vector
from readbench.runs.studies.lab import write_blank
from readbench.suites.suite import load_suite
from readbench.teachers.panel import Panel
from readbench.teachers.responses import ResponseCache
from readbench.trials.briefing import Briefing
from readbench.trials.environments.distillation import Distillation
from readbench.trials.environments.resources import Setting
from support.suites import suite_text, write_suite
from support.trials import TINY, Canned, spec_of

SUITE = suite_text(
    name="tiny",
    math="source: lab.math, weight: 3",
    code="source: lab.code, weight: 1",
    tool_use="source: lab.tool_use",
    more="reward: {beta: 2.0, cost: 0.25, top_k: 1}\n",
)
SIZES: dict[str, Any] = {"device": "cpu", "num_probes": 4, "num_dev": 3, "max_new_tokens": 8, "verifier_params": {}}
SPEC = spec_of(seed=5, budget_tokens=1000, teacher="", num_dev=3)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    write_suite(folder, SUITE, test=[{"prompt": "1+1=?", "answer": "2"}])
    write_blank(folder / "student", TINY)
    suite = load_suite(str(folder))
    teachers = Panel([Canned()], [0] * len(suite.capabilities), ResponseCache(folder / "responses.sqlite"))
    return Setting(suite, student_path=folder / "student", teachers=teachers, **SIZES)


@pytest.fixture
def make(setting: Setting) -> Callable[..., Distillation]:
    """Makes environments of one seed, with what is changed in their spec."""

    def made(teacher_profile: Vector | None = None, told: dict[str, Any] | None = None, **changed: Any) -> Distillation:
        setting.untrained = None  # each test measures the start itself
        briefing = Briefing(**{"requirement": setting.suite.requirement, "teacher_profile": teacher_profile, **(told or {})})
        return Distillation(replace(SPEC, **changed), setting, briefing)

    return made


@pytest.fixture
def begun(make: Callable[..., Distillation]) -> Callable[..., Distillation]:
    """Likewise, with the start measured."""

    def made(**changed: Any) -> Distillation:
        environment = make(**changed)
        environment.begin()
        return environment

    return made
