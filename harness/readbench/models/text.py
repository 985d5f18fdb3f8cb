"""How a model is spoken to. Torch-free at import."""

from collections.abc import Mapping
from dataclasses import field

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class ChatConfig:
    """What a chat model is told besides the prompt; part of a trial's identity."""

    system: str = ""  # the system prompt; empty: none
    template_args: Mapping[str, bool | int | float | str | None] = field(default_factory=dict)  # of the chat template, by name
