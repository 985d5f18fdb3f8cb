"""What a request holds, what of it a user may change, and what follows for the fingerprint and the spend limit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError, ReadbenchError
from readbench.models.folder import resolve_model
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.teachers.endpoint.request import make_endpoint
from readbench.teachers.endpoint.teacher import OpenAITeacher, tokenizer_hash
from readbench.teachers.spend.prices import Limit

ENDPOINT = {"url": "http://127.0.0.1/v1", "api": "chat", "served_as": "", "limit_field": "max_tokens"}
PROMPT = "How many?"
BRIEF = ChatConfig(system="Be brief.")


def of(model: str = "m", tokenizer: str = "", chat: ChatConfig = NO_CHAT, **changes: Any) -> str:
    """The fingerprint of a teacher."""
    teacher = OpenAITeacher(make_endpoint(model, **ENDPOINT | changes), tokenizer=tokenizer)
    teacher.chat = chat
    return teacher.fingerprint()


def test_a_chat_request_is_greedy_and_bounded(stub: Any, office: Callable[..., Any]) -> None:
    office().ask("Hello?")
    assert stub.requests == [
        {
            "model": "stub",
            "messages": [{"role": "user", "content": "Hello?"}],
            "max_tokens": 8,
            "temperature": 0,
            "seed": 0,
            "n": 1,
            "stream": False,
        }
    ]


def test_a_plain_completion_gets_the_prompt_and_a_newline(stub: Any, office: Callable[..., Any]) -> None:
    office(params={"api": "completions", "limit_field": "max_completion_tokens"}).ask("Hello?")
    (request,) = stub.requests
    assert (request["prompt"], request["max_completion_tokens"]) == ("Hello?\n", 8)


def test_a_field_that_an_endpoint_refuses_is_left_out(stub: Any, office: Callable[..., Any]) -> None:
    office(params={"omit": "temperature, seed"}).ask(PROMPT)
    (request,) = stub.requests
    assert request.keys() == {"model", "messages", "max_tokens", "n", "stream"}


def test_fields_are_added_or_replaced(stub: Any, office: Callable[..., Any]) -> None:
    office(params={"fields": '{"reasoning_effort": "low", "top_k": 20, "stop": ["\\n"], "temperature": 0.6}'}).ask(PROMPT)
    (request,) = stub.requests
    added = {"reasoning_effort": "low", "top_k": 20, "stop": ["\n"], "temperature": 0.6}
    assert {name: request[name] for name in added} == added
    assert (request["seed"], request["max_tokens"], request["n"]) == (0, 8, 1)


def test_a_system_prompt_comes_before_the_prompt_and_template_arguments_beside_it(stub: Any, office: Callable[..., Any]) -> None:
    office(chat=ChatConfig(system="Be brief.", template_args={"enable_thinking": False})).ask(PROMPT)
    (request,) = stub.requests
    assert request["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    assert request["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize("chat", [BRIEF, ChatConfig(template_args={"enable_thinking": False})], ids=["system", "template_args"])
def test_plain_completions_refuse_chat_settings(chat: ChatConfig) -> None:
    with pytest.raises(ConfigError, match=r"no effect on plain completions; drop it, or set params\.teacher\.openai\.api=chat"):
        of(api="completions", chat=chat)


def test_template_arguments_are_given_in_one_place() -> None:
    fields = '{"chat_template_kwargs": {"enable_thinking": true}}'
    assert of(fields=fields, chat=BRIEF) != of(chat=BRIEF)
    with pytest.raises(ConfigError, match=r"holds chat_template_kwargs, and so does teacher_chat\.template_args"):
        of(fields=fields, chat=ChatConfig(template_args={"enable_thinking": False}))


ADDED = [
    ({"chat": BRIEF}, len("Be brief.")),
    ({"chat": ChatConfig(system="Sei kurz, bitte schön.")}, len("Sei kurz, bitte schön.".encode())),
    ({"chat": ChatConfig(template_args={"tone": "dry"})}, len('{"tone": "dry"}')),
    ({"params": {"fields": '{"tools_note":"abc"}'}}, len('{"tools_note": "abc"}')),
]


@pytest.mark.parametrize(("changes", "added"), ADDED, ids=["system", "bytes", "template_args", "fields"])
def test_what_goes_with_a_prompt_is_part_of_its_cap(stub: Any, office: Callable[..., Any], changes: dict[str, Any], added: int) -> None:
    cap = len(PROMPT) + added + 16 + 8
    with pytest.raises(ReadbenchError, match=f"no room for a request of up to {cap} tokens"):
        office(limit=Limit(tokens=cap - 1), **changes).ask(PROMPT)
    assert stub.requests == []
    stub.default = stub.sends(stub.http(stub.document("9", usage={"prompt_tokens": cap - 8, "completion_tokens": 8})))
    made = office(limit=Limit(tokens=cap), **changes)
    made.ask(PROMPT)
    assert made.ledger.spent().tokens == cap


def test_an_endpoint_that_reports_nothing_is_paid_for_the_system_prompt_too(stub: Any, office: Callable[..., Any]) -> None:
    stub.default = stub.sends(stub.http(stub.document("9", usage=None)))
    made = office(chat=BRIEF)
    made.ask(PROMPT)
    assert made.ledger.spent().prompt_tokens == len("Be brief.") + len(PROMPT)


def test_another_system_prompt_is_another_answer(stub: Any, office: Callable[..., Any]) -> None:
    for chat in (NO_CHAT, BRIEF, NO_CHAT, BRIEF):
        office(chat=chat).ask(PROMPT)
    assert len(stub.requests) == 2


def test_the_fingerprint_tells_apart_what_answers_depend_on() -> None:
    different = [
        of(),
        of("n"),
        of(url="http://127.0.0.1/v2"),
        of(api="completions"),
        of(served_as="other"),
        of(limit_field="max_completion_tokens"),
        of(tokenizer="lab/teacher"),
        of(omit="seed"),
        of(omit="seed,temperature"),
        of(fields='{"top_k": 1}'),
        of(fields='{"top_k": 2}'),
        of(chat=ChatConfig(system="Be brief.")),
        of(chat=ChatConfig(system="Be kind.")),
        of(chat=ChatConfig(template_args={"enable_thinking": False})),
    ]
    assert len(set(different)) == len(different)
    assert of(url="http://127.0.0.1/v1/") == of()
    assert of(omit=" temperature, seed ") == of(omit="seed,temperature")
    assert of(fields='{"a": 1, "b": 2}') == of(fields='{"b":2,"a":1}')


def test_without_changes_the_fingerprint_is_that_of_earlier_runs() -> None:
    assert of() == "b7ba6268a227afbecc08c15fe5403934"
    assert of(api="completions") == "ae819274fcde07d61fdf6a63d36f4ee9"


def test_the_hash_of_a_tokenizer_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((resolve_model("lab/teacher") / "tokenizer.json").read_bytes())
    assert tokenizer_hash(str(tmp_path)) == tokenizer_hash("lab/teacher")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    assert tokenizer_hash(str(tmp_path)) != tokenizer_hash("lab/teacher")


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ("", {}, "needs the name of a model"),
        ("m", {"limit_field": "stop"}, "max_tokens or max_completion_tokens"),
        ("m", {"omit": "temperatures"}, "'temperatures', which no request holds; did you mean 'temperature'"),
        ("m", {"omit": "seed,n"}, "params.teacher.openai.omit names 'n', which readbench sets itself; one answer is paid for and read"),
        ("m", {"omit": "messages"}, "which readbench sets itself; give a system prompt as teacher_chat.system"),
        (
            "m",
            {"fields": "{"},
            'params.teacher.openai.fields is not valid JSON: .*; give an object, for example \'{"reasoning_effort": "low"}\'',
        ),
        ("m", {"fields": "[" * 100_000}, "params.teacher.openai.fields is not valid JSON"),
        ("m", {"fields": "[1]"}, "params.teacher.openai.fields is not a JSON object"),
        ("m", {"fields": '{"a": 1, "a": 2}'}, "a key appears twice"),
        ("m", {"fields": '{"a": {"b": 1, "b": 2}}'}, "a key appears twice"),
        ("m", {"fields": '{"top_p": NaN}'}, "params.teacher.openai.fields: nan is not a finite number"),
        ("m", {"fields": '{"stop": "\\ud800"}'}, "not valid Unicode"),
        ("m", {"fields": '{"top_k": 1' + "0" * 5000 + "}"}, "params.teacher.openai.fields"),
        (
            "m",
            {"fields": '{"model": "dear"}'},
            "params.teacher.openai.fields holds 'model', which readbench sets itself; name the model in --teacher",
        ),
        ("m", {"fields": '{"prompt": "Hi"}'}, "holds 'prompt', which readbench sets itself"),
        ("m", {"fields": '{"max_tokens": 9}'}, "holds 'max_tokens', which readbench sets itself; set max_new_tokens"),
        ("m", {"fields": '{"max_completion_tokens": 9}'}, "holds 'max_completion_tokens', which readbench sets itself"),
        ("m", {"fields": '{"n": 2}'}, "holds 'n', which readbench sets itself"),
        ("m", {"fields": '{"best_of": 2}'}, "holds 'best_of', which readbench sets itself"),
        ("m", {"fields": '{"stream": true}'}, "holds 'stream', which readbench sets itself"),
        (
            "m",
            {"omit": "seed", "fields": '{"seed": 1}'},
            "holds 'seed', which params.teacher.openai.omit leaves out; name it in one of them",
        ),
    ],
)
def test_a_wrong_parameter_costs_one_line(model: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        make_endpoint(model, **ENDPOINT | changes)
    assert "\n" not in str(raised.value)
