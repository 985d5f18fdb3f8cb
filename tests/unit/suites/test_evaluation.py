"""Evaluation: lm-eval's utility is greedy exact match, found without the network, a cache in the home, or a word on stderr."""

import json
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from readbench.base.errors import ConfigError
from readbench.models.language_model import LanguageModel
from readbench.models.text import render
from readbench.students.student import Student
from readbench.suites.evaluation.evaluate import Evaluation, evaluate
from readbench.suites.grading import Grader
from readbench.suites.suite import load_suite
from support.suites import TASK, suite_text

VERSIONED = f"{TASK}metadata: {{version: 3}}\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "suite.yaml").write_text(suite_text(math="source: lab.math, weight: 1"))
    (folder / "task.yaml").write_text(VERSIONED)
    rng = random.Random(0)
    lines = [{"prompt": f"{rng.randint(0, 9)}{rng.choice('ab')}=", "answer": rng.choice(["7", "07", "x y"])} for _ in range(60)]
    (folder / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def evaluated(model: LanguageModel, folder: Path) -> Evaluation:
    return evaluate(model, load_suite(str(folder), tested=False), Grader(), max_new_tokens=8)


@pytest.fixture
def half_taught(student_of: Callable[..., Student], suite: Path) -> Student:
    student = student_of(warmup_share=0.0)
    for step in range(30):
        student.train([student.model.encode(f"{step % 10}a=", "7")] * 4, progress=(0.0, 0.1), seed=step)
    return student


def questions(suite: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (suite / "test.jsonl").read_text().splitlines()]


def test_utility_is_exact_match_of_greedy_generation(half_taught: Student, suite: Path) -> None:
    model, right = half_taught.model, 0
    for question in questions(suite):
        ids = render(model.tokenizer, question["prompt"])
        mask = torch.ones(1, len(ids), dtype=torch.long)
        written = model.network.generate(torch.tensor([ids]), attention_mask=mask, max_new_tokens=8, do_sample=False)[0, len(ids) :]
        right += model.tokenizer.decode(written) == question["answer"] + "<eos>"
    result = evaluated(model, suite)
    tokens = sum(len(model.encode(question["prompt"], question["answer"]).tokens) for question in questions(suite))
    assert 0 < right < 60
    assert result == Evaluation(utility=right / 60, step_accuracy=right / 60, n=60, tokens=tokens, task="tiny", version="3")


def test_lm_eval_s_own_model_gives_the_same_utility(half_taught: Student, suite: Path) -> None:
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=half_taught.model.network, tokenizer=half_taught.model.tokenizer, batch_size=8, max_length=96)
    encoded = [half_taught.model.encode(question["prompt"], question["answer"]) for question in questions(suite)]
    requests = [
        ((str(index), ""), list(example.tokens[: example.prompt_length]), list(example.tokens[example.prompt_length :]))
        for index, example in enumerate(encoded)
    ]  # as tokens: from text, it would count the newline before the answer as part of the answer
    matches = [match for _, match in lm._loglikelihood_tokens(requests, disable_tqdm=True)]
    assert 0 < sum(matches) < 60
    assert evaluated(half_taught.model, suite).utility == pytest.approx(sum(matches) / 60)


def test_it_stays_in_the_suite_s_folder(
    half_taught: Student, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    evaluated(half_taught.model, suite)
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


def test_the_same_student_is_evaluated_twice_alike_and_a_trained_one_anew(half_taught: Student, suite: Path) -> None:
    first = evaluated(half_taught.model, suite)
    assert evaluated(half_taught.model, suite) == first
    taught = [half_taught.model.encode(question["prompt"], "07") for question in questions(suite)]
    for step in range(10):
        half_taught.train(taught, progress=(0.0, 0.1), seed=step)
    assert evaluated(half_taught.model, suite).utility != first.utility


def replaced(old: str, new: str) -> str:
    assert old in TASK
    return TASK.replace(old, new)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("a: [", "is not valid YAML"),
        ("- a", "must be a mapping"),
        (replaced("output_type: loglikelihood", "output_type: generate_until"), "output_type: input should be 'loglikelihood'"),
        (replaced("dataset_path: json", "dataset_path: some/dataset"), "dataset_path: input should be 'json'"),
        (replaced("test.jsonl", "absent.jsonl"), "cannot read .*absent.jsonl"),
        (replaced("test.jsonl", "empty.jsonl"), "holds no questions"),
    ],
)
def test_a_task_that_cannot_be_used_is_one_line(student: Student, suite: Path, task: str, message: str) -> None:
    (suite / "empty.jsonl").write_text("\n")
    (suite / "task.yaml").write_text(task)
    with pytest.raises(ConfigError, match=message):
        evaluated(student.model, suite)
