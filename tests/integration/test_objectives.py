"""Objectives in trials: the teacher's reading is charged and recorded, a resumed trial is the same, and what cannot work is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.models.counting import vocabulary
from readbench.models.folder import resolve_model
from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.trials.record.trial_file import TrialRecord, read_trial
from support.models import byte_tokenizer, random_model

Benches = Callable[..., Any]


def with_objective(bench: Any, name: str, **params: float) -> Any:
    bench.base = replace(bench.base, objective=name, objective_params=params)
    return bench


def outcome(record: TrialRecord) -> list[Any]:
    assert record.final is not None
    return [record.status, record.intervals, record.final["utility"], record.states]


def test_the_teachers_reading_is_charged_and_recorded(bench: Benches) -> None:
    record = read_trial(with_objective(bench(), "forward-kl", temperature=1.0).run())
    assert record.status == "complete"
    for interval in record.intervals:
        tokens = interval["tokens"]
        assert tokens["scored"] == tokens["trained"] > 0  # the teacher reads what the student is trained on
        assert interval["charged"] == tokens["generated"] + tokens["trained"] + tokens["scored"]
    assert sum(interval["charged"] for interval in record.intervals) <= record.spec["budget_tokens"]
    plain = read_trial(bench("plain").run())
    assert all(interval["tokens"]["scored"] == 0 for interval in plain.intervals)
    assert sum(i["tokens"]["trained"] for i in record.intervals) < sum(i["tokens"]["trained"] for i in plain.intervals)


def test_a_stopped_trial_goes_on_to_the_same_end(bench: Benches) -> None:
    whole = read_trial(with_objective(bench("whole"), "jsd", beta=0.5, temperature=1.0).run())
    here = with_objective(bench("stopped"), "jsd", beta=0.5, temperature=1.0)
    here.run(stop_after=2)
    resumed = read_trial(here.run())
    assert outcome(resumed) == outcome(whole)


def test_only_answers_that_verify_are_taught_and_the_others_are_charged(bench: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    from readbench.suites.grading import Grader

    judged = Grader.right
    monkeypatch.setattr(Grader, "right", lambda self, question, answer: judged(self, question, answer) and len(question.prompt) % 3 > 0)
    record = read_trial(with_objective(bench(), "filtered-sft").run())
    assert record.status == "complete"
    rejected = 0
    for interval in record.intervals:
        rejected += sum(interval["examples"]) - sum(interval["verified"])
        assert interval["charged"] == interval["tokens"]["generated"] + interval["tokens"]["trained"]
    assert rejected > 0
    plain = read_trial(bench("plain").run())
    share = [sum(i["tokens"]["trained"] for i in each.intervals) / sum(i["charged"] for i in each.intervals) for each in (record, plain)]
    assert share[0] < share[1]  # of what is charged, less is trained on


def test_the_objective_changes_what_is_learned(bench: Benches) -> None:
    ends = {
        name: read_trial(with_objective(bench(name), name, temperature=1.0).run()).intervals[-1] for name in ("forward-kl", "reverse-kl")
    }
    assert ends["forward-kl"]["tokens"] == ends["reverse-kl"]["tokens"]
    assert ends["forward-kl"]["profile"] != ends["reverse-kl"]["profile"]
    assert all(loss is None or loss > 0 for end in ends.values() for loss in end["train_loss"])


def planned(**flags: object) -> None:
    plan(resolve("multilingual", environment={}, flags={"allocators": "uniform", "seeds": "1", **flags}))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    random_model("llama").save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def test_a_teacher_of_another_vocabulary_is_refused_before_a_token_is_charged(other: Path) -> None:
    planned(teacher=str(other))
    with pytest.raises(
        ConfigError, match="objective jsd compares teacher and student token by token, and they have different vocabularies"
    ):
        planned(teacher=str(other), objective="jsd")


def test_a_teacher_without_logits_is_refused() -> None:
    with pytest.raises(ConfigError, match="objective forward-kl needs the teacher's logits, and openai:m gives none"):
        planned(teacher="openai:m", objective="forward-kl", **{"params.teacher.openai.url": "http://localhost:1/v1"})


def test_a_parameter_out_of_range_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"objective 'jsd' raised ValueError: beta must be between 0\.001 and 0\.999, got 1\.0"):
        planned(objective="jsd", **{"params.objective.jsd.beta": 1.0})


def test_a_vocabulary_is_known_by_its_content(other: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lab = [vocabulary(resolve_model(f"lab/{name}")) for name in ("teacher", "student")]
    assert lab[0] == lab[1] != vocabulary(other)
    copy = tmp_path_factory.mktemp("copy")
    random_model("qwen2").save_pretrained(copy)
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(copy)
    assert vocabulary(copy) == vocabulary(other)  # another model, the same ids
    tokenizer.add_tokens(["<tool>"])
    tokenizer.save_pretrained(copy)
    assert vocabulary(copy) != vocabulary(other)
