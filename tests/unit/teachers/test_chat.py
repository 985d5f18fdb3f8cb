"""Which teachers take chat settings."""

from collections.abc import Sequence

import pytest

from readbench.api import Response
from readbench.base.errors import ConfigError
from readbench.models.folder import resolve_model
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.teachers.chat import set_chat
from readbench.teachers.endpoint.request import make_endpoint
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.local import LocalTeacher

BRIEF = ChatConfig(system="Be brief.")


class Canned:
    """A teacher of somebody's package."""

    def fingerprint(self) -> str:
        return "canned-1"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        raise NotImplementedError


def test_a_local_teacher_and_an_endpoint_take_them_into_their_fingerprints() -> None:
    endpoint = make_endpoint("m", url="http://127.0.0.1/v1", api="chat", served_as="", limit_field="max_tokens")
    for teacher in (LocalTeacher(resolve_model("lab/teacher"), device="cpu"), OpenAITeacher(endpoint, tokenizer="")):
        plain = teacher.fingerprint()
        set_chat(teacher, "any", BRIEF)
        assert teacher.chat == BRIEF
        assert teacher.fingerprint() != plain
        set_chat(teacher, "any", NO_CHAT)
        assert teacher.fingerprint() == plain


def test_another_plug_in_s_teacher_refuses_them_in_one_line() -> None:
    set_chat(Canned(), "canned", NO_CHAT)
    with pytest.raises(ConfigError, match="no effect on teacher 'canned'; it is for local teachers and for openai: drop it"):
        set_chat(Canned(), "canned", BRIEF)
