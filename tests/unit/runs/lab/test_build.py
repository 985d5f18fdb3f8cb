"""The lab's build and its product. ``python tests/unit/runs/lab/test_build.py`` records the prefix anew after a change of a recipe."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from readbench.base.machine import same_bits
from readbench.models.folder import check_model, load_tokenizer, resolve_model
from readbench.runs.executors.fingerprint import fingerprint
from readbench.runs.studies.lab import RECIPES, check, lessons, train

GOLDEN = Path(__file__).parents[3] / "golden" / "lab_prefix.json"


def prefix(name: str) -> dict[str, object]:
    """The first lesson of a build: a hash of the weights after it, and the mean loss on the second lesson (nats a token)."""
    torch.set_num_threads(1)
    student = train(RECIPES[name], max_lessons=1)
    digest = hashlib.blake2b(digest_size=16)
    for key, tensor in sorted(student.state().items()):
        digest.update(key.encode() + tensor.numpy().tobytes())
    stream = lessons(student, RECIPES[name], 0)
    next(stream)
    second = next(stream)[::8]
    loss = -student.model.log_likelihoods(second)[0].sum() / sum(example.label_count for example in second)
    return {"hash": digest.hexdigest(), "loss": round(float(loss), 6)}


@pytest.fixture(scope="module", params=sorted(RECIPES))
def named_prefix(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    return request.param, prefix(request.param)


def test_the_build_begins_as_recorded(named_prefix: tuple[str, dict[str, object]]) -> None:
    name, rebuilt = named_prefix
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert rebuilt["loss"] == pytest.approx(recorded[name]["loss"], abs=1e-3)
    if same_bits(recorded["fingerprint"], fingerprint("cpu")):
        assert rebuilt["hash"] == recorded[name]["hash"]


def test_the_build_gives_the_same_bits_again() -> None:
    assert prefix("student") == prefix("student")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_shipped_models_are_ordinary_folders(name: str) -> None:
    folder = resolve_model(f"lab/{name}")
    check_model(folder)
    tokenizer = load_tokenizer(folder)
    text = "x=12;print(x+30) [DOG!] 'é'\n"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text
    assert tokenizer.eos_token_id != tokenizer.pad_token_id
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["eos_token_id"] == tokenizer.eos_token_id


def test_the_pair_is_small() -> None:
    folder = resolve_model("lab/teacher").parent
    assert sum(file.stat().st_size for file in folder.rglob("*")) <= 12_000_000


def test_the_teacher_has_learned_everything_and_the_student_has_not() -> None:
    rows = check(n=60)
    assert len(rows) == 24
    assert all(row.teacher >= 0.95 for row in rows)
    by_capability: dict[str, list[float]] = {}
    for row in rows:
        by_capability.setdefault(row.capability, []).append(row.student)
    for capability in ("math", "code", "reasoning", "long_context", "multilingual"):
        assert 0.02 <= np.mean(by_capability[capability]) <= 0.45
    for capability in ("general_knowledge", "steerability", "tool_use"):
        assert np.mean(by_capability[capability]) >= 0.5


if __name__ == "__main__":
    torch.set_num_threads(1)
    document = {"fingerprint": fingerprint("cpu")} | {name: prefix(name) for name in sorted(RECIPES)}
    GOLDEN.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
