"""Whom to ask, and what a request holds: all that an answer depends on besides the prompt."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from readbench.base.errors import ConfigError
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.teachers.endpoint.fields import LIMIT_FIELDS, parse_fields, parse_omit
from readbench.teachers.endpoint.servers.address import Address, parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model at an address, and how it is asked."""

    address: Address
    api: str  # chat or completions
    model: str
    served_as: str  # the name that answers bear
    limit_field: str  # max_tokens or max_completion_tokens
    omit: tuple[str, ...] = ()  # fields that are left out of a request
    fields: Mapping[str, Any]  # that are added to it, or replace its own
    chat: ChatConfig = NO_CHAT

    @property
    def added_bytes(self) -> int:
        """Bytes of a request that an endpoint may turn into prompt tokens, besides the prompt's own."""
        added = [text for text in (self.fields, self.chat.template_args) if text]
        return len(self.chat.system.encode("utf-8", "surrogatepass")) + sum(len(json.dumps(dict(each))) for each in added)

    def variant(self) -> dict[str, Any]:
        """What differs from a request without any of these settings, as JSON values; empty where nothing does."""
        chat = {} if self.chat == NO_CHAT else {"chat": asdict(self.chat)}
        omit = {"omit": self.omit} if self.omit else {}
        fields = {"fields": self.fields} if self.fields else {}
        return {**chat, **omit, **fields}


def make_endpoint(model: str, *, url: str, api: str, served_as: str, limit_field: str, omit: str = "", fields: str = "") -> Endpoint:
    """The endpoint of a teacher's parameters, checked; ConfigError in one line."""
    if not model:
        raise ConfigError("teacher openai needs the name of a model", hint="--teacher openai:MODEL")
    if limit_field not in LIMIT_FIELDS:
        raise ConfigError(f"params.teacher.openai.limit_field is {limit_field!r}", hint=f"it must be {' or '.join(LIMIT_FIELDS)}")
    omitted = parse_omit(omit)
    return Endpoint(
        address=parse_address(url, api),
        api=api,
        model=model,
        served_as=served_as or model,
        limit_field=limit_field,
        omit=omitted,
        fields=parse_fields(fields, omit=omitted),
    )


def with_chat(endpoint: Endpoint, chat: ChatConfig) -> Endpoint:
    """The endpoint asked with a system prompt and template arguments; ConfigError where its requests have no place for them."""
    if chat != NO_CHAT and endpoint.api != "chat":
        raise ConfigError("teacher_chat has no effect on plain completions", hint="drop it, or set params.teacher.openai.api=chat")
    if chat.template_args and "chat_template_kwargs" in endpoint.fields:
        raise ConfigError(
            "params.teacher.openai.fields holds chat_template_kwargs, and so does teacher_chat.template_args", hint="drop one of them"
        )
    return replace(endpoint, chat=chat)


def request_body(endpoint: Endpoint, prompt: str, *, max_new_tokens: int) -> dict[str, Any]:
    """A request, greedy by default. A plain completion gets the prompt and a newline, as a local model without a chat template does."""
    chat = endpoint.chat
    system = [{"role": "system", "content": chat.system}] if chat.system else []
    asked: Mapping[str, Any] = (
        {"messages": [*system, {"role": "user", "content": prompt}]} if endpoint.api == "chat" else {"prompt": prompt + "\n"}
    )
    template = {"chat_template_kwargs": dict(chat.template_args)} if chat.template_args else {}
    body = {
        "model": endpoint.model,
        **asked,
        endpoint.limit_field: max_new_tokens,
        "temperature": 0,
        "seed": 0,
        "n": 1,
        "stream": False,
        **template,
        **endpoint.fields,
    }
    return {name: value for name, value in body.items() if name not in endpoint.omit}
