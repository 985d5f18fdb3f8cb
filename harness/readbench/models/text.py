"""How text becomes tokens: prompts by the chat template, responses with the end of sequence as a label. Torch-free at import."""

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class ChatConfig:
    """What a chat model is told besides the prompt; part of a trial's identity."""

    system: str = ""  # the system prompt; empty: none
    template_args: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)  # of the chat template, by name


def render(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> list[int]:
    """A prompt's tokens: by the chat template where there is one, else those of the prompt and a newline."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": prompt}]
        return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
    ids = list(tokenizer.encode(prompt + "\n"))
    if ids and ids[-1] == tokenizer.eos_token_id:  # some tokenizers close every text; a prompt is open
        ids.pop()
    return ids


def response_ids(tokenizer: "PreTrainedTokenizerBase", text: str, *, finished: bool = True) -> list[int]:
    """A response's tokens, EOS included where it is finished: the label tokens."""
    ids = list(tokenizer.encode(text, add_special_tokens=False))
    return [*ids, int(tokenizer.eos_token_id)] if finished else ids
