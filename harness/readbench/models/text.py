"""Turns text into tokens: prompts by the chat template, responses with the end of sequence as a label. Torch-free at import."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT
from readbench.base.errors import ConfigError
from readbench.base.hashing import json_hash
from readbench.models.folder import DECODING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChatConfig:
    """What a chat model is told besides the prompt; part of a trial's identity."""

    system: str = ""  # the system prompt; empty: none
    template_args: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)  # of the chat template, by name


NO_CHAT = ChatConfig()
# Templates that print the date (Llama 3.1 to 3.3) would give other tokens tomorrow, so the date is fixed: Llama's default, a Friday.
_DATE = {"%d": "26", "%b": "Jul", "%B": "July", "%m": "07", "%Y": "2024", "%y": "24", "%A": "Friday", "%a": "Fri", "%H": "00", "%M": "00"}
_PINNED = (
    "{% macro strftime_now(format) %}{{ format" + "".join(f" | replace('{a}', '{b}')" for a, b in _DATE.items()) + " }}{% endmacro %}\n"
)
_ANSWER = "sentinel-of-an-answer"


def render(tokenizer: "PreTrainedTokenizerBase", prompt: str, chat: ChatConfig = NO_CHAT) -> list[int]:
    """A prompt's tokens: by the chat template if there is one, else those of the prompt and a newline.

    ConfigError if the template fails, or if there is none and the chat settings need one.
    """
    if tokenizer.chat_template:
        system = [{"role": "system", "content": chat.system}] if chat.system else []
        messages = [*system, {"role": "user", "content": prompt}]
        return list(_template(tokenizer, messages, chat, add_generation_prompt=True, tokenize=True))
    if chat != NO_CHAT:
        raise ConfigError(f"{tokenizer.name_or_path} has no chat template, so chat settings have no effect", hint="drop them")
    ids = _ids(tokenizer, prompt + "\n", special=True)
    if ids and ids[-1] == tokenizer.eos_token_id:  # some tokenizers end every text with EOS; a prompt must stay open
        ids.pop()
    return ids


def response_ids(tokenizer: "PreTrainedTokenizerBase", text: str, *, finished: bool = True) -> list[int]:
    """A response's tokens: the labels. If it is finished, the last one is the token that ends a turn."""
    ids = _ids(tokenizer, text, special=False)
    return [*ids, turn_end(tokenizer)] if finished else ids


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str, *, special: bool) -> list[int]:
    """A text's tokens as the library's `encode` has them, in a third of its time where it adds nothing to the Rust tokenizer's."""
    backend = _backend(tokenizer)
    if backend is None or backend.truncation is not None or backend.padding is not None:
        return list(tokenizer.encode(text, add_special_tokens=special))
    return list(backend.encode(text, add_special_tokens=special).ids)


@functools.lru_cache(maxsize=16)
def _backend(tokenizer: "PreTrainedTokenizerBase") -> Any:
    """The Rust tokenizer, if the library's class encodes by it alone."""
    from transformers import PreTrainedTokenizerFast

    own = any(getattr(type(tokenizer), name, None) is not getattr(PreTrainedTokenizerFast, name) for name in ("encode", "_encode_plus"))
    return None if own or getattr(tokenizer, "split_special_tokens", False) else getattr(tokenizer, "backend_tokenizer", None)


@functools.lru_cache(maxsize=16)
def turn_end(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that ends an answer: the special token that the chat template puts after one (Gemma, Phi-3, Qwen), else EOS."""
    eos = int(tokenizer.eos_token_id)
    if not tokenizer.chat_template:
        return eos
    messages = [{"role": "user", "content": "question"}, {"role": "assistant", "content": _ANSWER}]
    try:
        text = str(_template(tokenizer, messages, NO_CHAT, add_generation_prompt=False, tokenize=False))
    except ConfigError:  # a template without an assistant's turn; `render` reports one that does not work at all
        return eos
    _, found, after = text.rpartition(_ANSWER)
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return next((int(token) for token in tokenizer.encode(after, add_special_tokens=False) if found and token in special), eos)


def _template(tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]], chat: ChatConfig, **options: bool) -> Any:
    template = tokenizer.chat_template
    if isinstance(template, dict):  # several by name; transformers takes this one
        template = template.get("default")
    if isinstance(template, str) and "strftime_now" in template:
        options |= {"chat_template": _PINNED + template}  # type: ignore[dict-item]
    try:
        return tokenizer.apply_chat_template(messages, return_dict=False, **chat.template_args, **options)  # type: ignore[arg-type]
    except Exception as error:  # a template is a program by the model's author
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError(
            f"the chat template of {tokenizer.name_or_path} cannot be rendered ({reason})",
            hint="correct tokenizer_config.json or chat_template.jinja, or remove the template",
        ) from None


def answers_of(fingerprint: str, chat: ChatConfig) -> str:
    """The name under which a model's answers are cached: its content, how it decodes, and how it is prompted."""
    spoken = "" if chat == NO_CHAT else f":{json_hash(asdict(chat))}"
    return f"{fingerprint}:{DECODING}{spoken}"
