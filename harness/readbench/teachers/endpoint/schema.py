"""The answers of OpenAI-compatible endpoints: the parts of them that are looked at, strictly.

Fields that are not looked at may be anything. Those that are must be what the API promises: a negative, fractional, infinite
or textual token count, no choice, two choices, or a tool call instead of a text is a fault. A content that comes in parts is the
text of its text parts. Reasoning is not part of the answer; an answer whose tokens ran out in it is the empty, unfinished text.
"""

from dataclasses import dataclass
from typing import Annotated

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


class _Part(_Wire):
    type: str
    text: str | None = None


class _Message(_Wire):
    content: str | list[_Part] | None = None
    refusal: str | None = None


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


_TOOL_CALL = "it called a tool (finish_reason 'tool_calls') although none was offered"
_ENDINGS = {
    "content_filter": "its content filter stopped the answer (finish_reason 'content_filter')",
    "tool_calls": _TOOL_CALL,
    "function_call": _TOOL_CALL,
}
_SAME_AGAIN = "a resume asks the same prompt again: choose another teacher or other prompts in a new run"
_NOT_TEXT = frozenset({"thinking", "reasoning"})  # parts that come before the answer


def parse_completion(api: str, content: bytes, content_type: str) -> Completion:
    """The answer in a response's body; Fault if it holds none."""
    try:
        wire = (_Chat if api == "chat" else _Text).model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        if found["type"] == "json_invalid":
            what = "" if "json" in content_type else f" ({one_line(content_type) or 'no content type'})"
            raise Fault(f"its answer is not JSON{what}") from None
        place = ".".join(str(part) for part in found["loc"])
        raise Fault(f"its answer does not keep to the API: {place}: {found['msg'][0].lower()}{found['msg'][1:]}") from None
    choice = wire.choices[0]
    if choice.finish_reason == "abort":  # vLLM and SGLang, of requests that they let go
        raise Fault("it gave an answer up half-way (finish_reason 'abort')", retry=True)
    if choice.finish_reason not in ("stop", "length"):
        ended = _ENDINGS.get(choice.finish_reason, f"its answer ended with {one_line(choice.finish_reason)!r}, not with stop or length")
        raise Fault(ended, hint=_SAME_AGAIN)
    return Completion(
        text=_text_of(choice.message, choice.finish_reason) if isinstance(choice, _ChatChoice) else choice.text,
        model=wire.model,
        finish_reason=choice.finish_reason,
        prompt_tokens=0 if wire.usage is None else wire.usage.prompt_tokens,
        completion_tokens=0 if wire.usage is None else wire.usage.completion_tokens,
    )


def _text_of(message: _Message, finish_reason: str) -> str:
    """The answer in a chat message; Fault where it holds none."""
    if message.refusal:
        raise Fault(f"it refused to answer: {one_line(message.refusal)}", hint=_SAME_AGAIN)
    content = message.content
    if isinstance(content, list):
        parts = [part for part in content if part.type not in _NOT_TEXT]
        if any(part.text is None for part in parts):
            raise Fault("its answer holds a part that is not text", hint=_SAME_AGAIN)
        content = "".join(part.text or "" for part in parts) if parts else None
    if content is not None:
        return content
    if finish_reason == "length":  # all of its tokens went into reasoning
        return ""
    raise Fault("its answer holds no text", hint=_SAME_AGAIN)
