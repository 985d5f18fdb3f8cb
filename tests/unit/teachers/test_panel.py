"""Teachers by capability: who is asked, what comes back in which order, and which name means whom."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from readbench.api import Response, Scored, Vector
from readbench.base.errors import ConfigError
from readbench.models.batches import Encoded, collate, rows_of
from readbench.teachers.local import LocalTeacher
from readbench.teachers.naming import parts_of, renamed, serving
from readbench.teachers.panel import Panel
from readbench.teachers.responses import ResponseCache

CAPABILITIES = ("math", "code", "tool_use")


class Named:
    """Answers with its name, scores with its number."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value
        self.asked: list[str] = []

    def fingerprint(self) -> str:
        return self.name

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        self.asked += prompts
        return [Response(text=f"{self.name}: {prompt}", tokens=max_new_tokens, finished=True) for prompt in prompts]

    def scoring_tokenizer(self) -> str:
        return "x"

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        return [np.full(len(tokens) - length, self.value) for tokens, length in sequences]


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return Panel([Named("a", -1.0), Named("b", -2.0)], [0, 1, 0], ResponseCache(tmp_path / "responses.sqlite"))


def test_each_capability_is_answered_by_its_teacher_in_the_order_of_asking(panel: Panel) -> None:
    asked = [(1, "p"), (0, "p"), (2, "q"), (1, "r")]  # one prompt, two capabilities: two answers
    assert [answer.text for answer in panel.respond(asked, max_new_tokens=3)] == ["b: p", "a: p", "a: q", "b: r"]
    assert [teacher.asked for teacher in panel.teachers] == [["p", "q"], ["p", "r"]]  # type: ignore[attr-defined]
    assert [answer.text for answer in panel.respond([(0, "p"), (1, "p")], max_new_tokens=3)] == ["a: p", "b: p"]  # of the cache
    assert [teacher.asked for teacher in panel.teachers] == [["p", "q"], ["p", "r"]]  # type: ignore[attr-defined]


def test_each_sequence_is_scored_by_its_teacher(panel: Panel) -> None:
    examples = [Encoded((1, 2, 3, 4), 2), Encoded((1, 2, 3), 1), Encoded((5, 6), 1)]
    assert [scores.tolist() for scores in panel.scores(examples, [2, 1, 0], 1.0)] == [[-1, -1], [-2, -2], [-1]]
    assert panel.scores([], [], 1.0) == []


def test_logits_of_a_mixed_batch_are_each_row_s_teacher_s(tmp_path: Path, folder_of: Callable[[str], Path]) -> None:
    teachers = [LocalTeacher(folder_of(family), device="cpu") for family in ("llama", "qwen2")]
    mixed = Panel(teachers, [0, 1, 0], ResponseCache(tmp_path / "responses.sqlite"))
    examples = [Encoded((7, 9, 11, 3), 2), Encoded((5, 6, 8), 1), Encoded((4, 3, 9, 8, 2), 4), Encoded((9, 9, 9), 2)]
    kinds = [1, 0, 1, 2]
    batch = collate(examples, torch.device("cpu"))
    found = mixed.logits(batch, kinds)
    place = 0
    for example, kind in zip(examples, kinds, strict=True):
        alone = teachers[mixed.serving[kind]].model.label_logits(collate([example], torch.device("cpu")))
        rows = found[place : place + example.label_count]
        torch.testing.assert_close(rows, alone[:, : rows.shape[1]].detach(), rtol=1e-4, atol=1e-5)
        place += example.label_count
    assert place == len(found)
    assert not found.requires_grad


def test_some_rows_of_a_batch_are_the_batch_of_those_examples() -> None:
    examples = [Encoded((7, 9, 11, 3), 2), Encoded((5, 6, 8), 1), Encoded((4, 3, 9, 8, 2), 4)]
    whole = collate(examples, torch.device("cpu"))
    part, places = rows_of(whole, [2, 0])
    assert part.labels.tolist() == [2, 11, 3]
    assert whole.labels[places].tolist() == part.labels.tolist()
    assert part.inputs.flatten()[part.positions].tolist() == [8, 9, 11]  # the token before each label
    assert part.starts.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("lab/teacher", {"": "lab/teacher"}),
        ("openai:a=b", {"": "openai:a=b"}),  # no name before the equals sign
        ("math=a", {"": "lab/teacher", "math": "a"}),
        ("own,math=openai:m,code=/x/y", {"": "own", "code": "/x/y", "math": "openai:m"}),
        ("math=a, own", {"": "own", "math": "a"}),
        ("/a,b", {"": "/a,b"}),
    ],
)
def test_names_of_teachers(reference: str, parts: dict[str, str]) -> None:
    assert parts_of(reference) == parts


@pytest.mark.parametrize("reference", ["math=a,math=b", "a,b,math=c", "math=a,,"])
def test_two_teachers_of_one_capability_are_refused(reference: str) -> None:
    with pytest.raises(ConfigError, match=r"teacher: .* names (several|no) teachers of"):
        parts_of(reference)


def test_the_order_of_names_changes_nothing() -> None:
    assert renamed("math=a,code=b,own", str.upper) == renamed("own,code=b,math=a", str.upper) == "OWN,code=B,math=A"
    assert renamed("lab/teacher", str.upper) == "LAB/TEACHER"


def test_who_serves_whom() -> None:
    assert serving("own,math=a,tool_use=own", CAPABILITIES) == (["a", "own"], [0, 1, 1])
    assert serving("own", CAPABILITIES) == (["own"], [0, 0, 0])
    with pytest.raises(ConfigError, match=r"the suite has no capability 'mth'; did you mean 'math'\?"):
        serving("mth=a", CAPABILITIES)
