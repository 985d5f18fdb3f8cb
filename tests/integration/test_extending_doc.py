"""The code and the files of docs/extending.md work as they stand there."""

import importlib
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from readbench.api import Batch, Plugin, Question
from readbench.base.errors import ConfigError
from readbench.suites.suite import load_suite
from readbench.testing import check_allocator
from readbench.testing.objectives import check_objective

DOC = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files that the blocks of the page name in their first line, in a folder on the path."""
    folder = tmp_path_factory.mktemp("extending")
    for block in re.findall(r"^```\w+\n(.*?)^```", DOC.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE):
        named = re.match(r"# (\S+\.\w+)\n", block)
        if named:
            path = folder / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
    (folder / "my_package" / "__init__.py").write_text("", encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def plugin(module: str, name: str) -> Plugin:
    noted: Plugin = getattr(importlib.import_module(module), name).__readbench_plugin__
    return noted


def test_the_allocator_keeps_the_contract(site: Path) -> None:
    half = plugin("my_package.half", "half")
    assert half.summary == "The requirement, mixed with an equal share for everything."
    check_allocator(half.factory, equivariant=True, params={"replay": 0.2})


def test_the_suite_loads_once_its_files_are_there(site: Path) -> None:
    folder = site / "my_suite"
    with pytest.raises(ConfigError, match=r"manual\.jsonl"):
        load_suite(str(folder / "suite.yaml"))
    for name in ("manual", "politeness", "test"):
        lines = [json.dumps({"prompt": f"{name} {n}?", "answer": str(n), "factors": {"words": n % 7, "steps": 1}}) for n in range(30)]
        if name == "test":
            lines = [json.dumps({"prompt": f"test {n}?", "answer": str(n)}) for n in range(30)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    suite = load_suite(str(folder / "suite.yaml"))
    assert suite.capabilities == ("manual", "politeness", "arithmetic")
    np.testing.assert_allclose(suite.requirement, [0.4, 0.6, 0.0])
    assert len(suite.sources()) == 3
    assert len(suite.test_prompts()) == 30


def test_the_suite_factory_names_its_folder(site: Path) -> None:
    assert plugin("my_package.suites", "support").factory() == site / "my_package" / "support"


def test_the_source_gives_right_answers(site: Path) -> None:
    sums = plugin("my_package.sums", "sums").factory()
    for difficulty in (0, 1, 2):
        question = sums.sample(random.Random(difficulty), difficulty)
        a, b = question.prompt.removesuffix("=").split("+")
        assert int(question.answer) == int(a) + int(b)


def test_the_objective_gives_one_loss_a_token(site: Path) -> None:
    smoothed = plugin("my_package.smoothed", "smoothed")
    labels = torch.tensor([0, 1, 3])
    given = Batch(
        logits=torch.zeros(3, 4, requires_grad=True),
        labels=labels,
        sequence=torch.zeros_like(labels),
        normaliser=3.0,
        sequences=1.0,
        max_new_tokens=3,
        progress=0.0,
    )
    np.testing.assert_allclose(smoothed.factory(epsilon=0.2).loss(given).tokens.numpy(), np.full(3, np.log(4)), rtol=1e-6)
    check_objective(smoothed.factory)


def test_the_teacher_answers_within_the_limit(site: Path) -> None:
    teacher = plugin("my_package.canned", "canned").factory("yes it is", "cpu")
    [whole] = teacher.respond(["?"], max_new_tokens=8)
    assert (whole.text, whole.tokens, whole.finished) == ("yes it is", 4, True)
    [cut] = teacher.respond(["?"], max_new_tokens=3)
    assert (cut.text, cut.finished) == ("yes it", False)
    assert cut.tokens <= 3


def test_the_verifier_compares_words(site: Path) -> None:
    factory = plugin("my_package.words", "same_words").factory
    question = Question(prompt="?", answer="a b")
    assert [factory(ordered=ordered).score(question, "b a") for ordered in (True, False)] == [0.0, 1.0]
    assert factory().score(question, " a  b\n") == 1.0


def test_the_tracker_is_told_a_run_once(site: Path, story: Any) -> None:
    lines = plugin("my_package.lines", "Lines")
    assert (lines.kind, lines.name, lines.needs) == ("tracker", "lines", ())
    story.tell("lines", lines.factory)
    assert (story.run.folder / "lines.txt").read_text().splitlines() == [
        "read-s0 at 1,000 tokens: dev utility 0.500",
        "read-s0 at 2,000 tokens: dev utility 0.625",
        "uniform-s0 at 1,000 tokens: dev utility 0.500",
        "uniform-s0 at 2,000 tokens: dev utility 0.625",
        "read-s0 is complete",
        "uniform-s0 is complete",
    ]
