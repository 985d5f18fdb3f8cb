"""The wire format of OpenAI-compatible endpoints: what is sent, and the parts of an answer that are looked at, strictly.

Fields that are not looked at may be anything. Those that are must be what the API promises: a negative, fractional, infinite
or textual token count, no choice or two of them, a text that is null are no answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, ConfigDict, ValidationError

from readbench.teachers.endpoint.faults import Fault, one_line

Tokens = Annotated[int, Ge(0), Le(2**31 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer as the endpoint gave it."""

    text: str
    model: str
    finish_reason: str
    prompt_tokens: int  # reported; 0 where nothing is
    completion_tokens: int  # reported; 0 where nothing is


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Usage(_Wire):
    prompt_tokens: Tokens
    completion_tokens: Tokens


class _Message(_Wire):
    content: str | None = None


class _ChatChoice(_Wire):
    message: _Message
    finish_reason: str


class _TextChoice(_Wire):
    text: str
    finish_reason: str


class _Chat(_Wire):
    model: str
    choices: Annotated[list[_ChatChoice], Len(1, 1)]
    usage: _Usage | None = None


class _Text(_Wire):
    model: str
    choices: Annotated[list[_TextChoice], Len(1, 1)]
    usage: _Usage | None = None


def request_body(api: str, *, model: str, prompt: str, max_new_tokens: int, limit_field: str) -> dict[str, Any]:
    """A greedy request. A plain completion gets the prompt and a newline, as a local model without a chat template does."""
    asked: Mapping[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if api == "chat" else {"prompt": prompt + "\n"}
    return {"model": model, **asked, limit_field: max_new_tokens, "temperature": 0, "seed": 0, "n": 1, "stream": False}


def parse_completion(api: str, content: bytes, content_type: str) -> Completion:
    """The answer in a response's body; Fault where it is none."""
    try:
        wire = (_Chat if api == "chat" else _Text).model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        if found["type"] == "json_invalid":
            what = "" if "json" in content_type else f" ({one_line(content_type) or 'no content type'})"
            raise Fault(f"its answer is no JSON{what}") from None
        place = ".".join(str(part) for part in found["loc"])
        raise Fault(f"its answer does not keep to the API: {place}: {found['msg'][0].lower()}{found['msg'][1:]}") from None
    choice = wire.choices[0]
    text = choice.message.content if isinstance(choice, _ChatChoice) else choice.text
    if choice.finish_reason not in ("stop", "length"):
        raise Fault(f"its answer ended with {one_line(choice.finish_reason)!r}, not with stop or length")
    if text is None:
        raise Fault("its answer holds no text")
    return Completion(
        text=text,
        model=wire.model,
        finish_reason=choice.finish_reason,
        prompt_tokens=0 if wire.usage is None else wire.usage.prompt_tokens,
        completion_tokens=0 if wire.usage is None else wire.usage.completion_tokens,
    )
