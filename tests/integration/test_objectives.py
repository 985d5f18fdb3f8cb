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


RLAD = {"alpha": 0.5, "clip": 0.2, "clamp": 5.0, "group_size": 4, "round_tokens": 256}


def test_the_students_own_answers_are_charged_by_kind_and_recorded(bench: Benches) -> None:
    record = read_trial(with_objective(bench(), "rlad", **RLAD).run())
    assert record.status == "complete"
    for interval in record.intervals:
        tokens, figures = interval["tokens"], interval["figures"]
        assert tokens["generated"] == 0 < tokens["rollout"] < tokens["trained"] == tokens["scored"]
        assert interval["charged"] == tokens["rollout"] + tokens["trained"] + tokens["scored"]
        assert sum(interval["examples"]) % 4 == 0
        assert {"reward", "equal_groups", "finished", "length", "entropy", "kl_to_teacher"} <= figures.keys()
        assert figures["reward"] == pytest.approx(sum(interval["verified"]) / sum(interval["examples"]), abs=0.2)
    budget = record.spec["budget_tokens"]
    assert 0.9 * budget < sum(interval["charged"] for interval in record.intervals) <= budget


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("rlad", RLAD),
        ("grpo", {"group_size": 4, "hint": 0.5}),
        ("kdrl", {"group_size": 4, "warmup": 0.5, "reference": 0.1}),
        ("jsd", {"own_share": 0.5, "beta": 0.5}),
    ],
)
def test_a_stopped_trial_on_own_answers_goes_on_to_the_same_end(bench: Benches, name: str, params: dict[str, Any]) -> None:
    whole = read_trial(with_objective(bench("whole"), name, **params).run())
    assert whole.status == "complete", whole.failure
    here = with_objective(bench("stopped"), name, **params)
    here.run(stop_after=2)
    assert outcome(read_trial(here.run())) == outcome(whole)
    kinds = [{kind for kind, tokens in interval["tokens"].items() if tokens} - {"probe", "dev"} for interval in whole.intervals]
    if name == "grpo":  # an untrained student fails often: the teacher's answer is charged
        assert kinds == [{"generated", "rollout", "trained"}] * 3
        assert all(0 < interval["figures"]["hinted"] <= 1 for interval in whole.intervals)
    if name == "kdrl":  # .5 of three intervals are the warm-up's: the first two
        assert kinds == [{"generated", "trained"}] * 2 + [{"rollout", "trained", "scored"}]
    if name == "jsd":  # half and half, and the teacher reads both
        assert kinds == [{"generated", "rollout", "trained", "scored"}] * 3


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


def test_rollouts_that_cannot_fit_are_refused_before_a_token_is_charged() -> None:
    few = {"budget_tokens": 9_000, "num_intervals": 3, "num_probes": 9, "num_dev": 9}
    planned(objective="rlad", **few)
    with pytest.raises(ConfigError, match=r"64 answers to a prompt may cost \d+ tokens, an interval \(or a pilot\) has 3000"):
        planned(objective="rlad", **{"params.objective.rlad.group_size": 64}, **few)
    with pytest.raises(ConfigError, match=r"a prompt has \d+ tokens, and \d+ new ones do not fit the student's context of"):
        planned(objective="grpo", max_new_tokens=100_000, teacher="openai:m", **{"params.teacher.openai.url": "http://localhost:1/v1"})


def test_an_objective_that_samples_needs_a_teacher_only_if_it_reads_one() -> None:
    remote = {"teacher": "openai:m", "params.teacher.openai.url": "http://localhost:1/v1"}
    planned(objective="grpo", **remote)
    with pytest.raises(ConfigError, match="objective rlad needs the teacher's log-probabilities, and openai:m gives none"):
        planned(objective="rlad", **remote)


def test_a_group_of_one_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match="objective 'grpo' raised ValueError: group_size must be at least 2, got 1"):
        planned(objective="grpo", **{"params.objective.grpo.group_size": 1})


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
