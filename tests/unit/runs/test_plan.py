"""What identifies a trial whose teacher is an endpoint."""

from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.trials.spec import TrialSpec

ENDPOINT = {"teacher": "openai:stub", "params.teacher.openai.url": "http://127.0.0.1/v1", "allocators": "uniform", "seeds": "7,"}


def planned(*sets: str) -> TrialSpec:
    (trial,) = plan(resolve("reasoning", environment={}, flags=ENDPOINT, sets=sets)).trials
    return trial


def test_parameters_that_came_later_are_part_of_a_trial_s_identity_only_where_they_are_set() -> None:
    plain = planned()
    assert plain.teacher_params.keys() == {"url", "api", "served_as", "tokenizer", "limit_field"}, "earlier runs keep their trials' ids"
    omit = planned("params.teacher.openai.omit=seed")
    assert omit.teacher_params == {**plain.teacher_params, "omit": "seed"}
    assert omit.id != plain.id


def test_chat_settings_are_part_of_the_teacher_s_fingerprint() -> None:
    brief, kind = planned("teacher_chat.system=Be brief."), planned("teacher_chat.system=Be kind.")
    assert len({each.teacher_fingerprint for each in (planned(), brief, kind)}) == 3
