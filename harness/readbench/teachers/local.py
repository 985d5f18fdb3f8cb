"""A local Hugging Face causal language model that answers greedily."""

import functools
from collections.abc import Sequence
from pathlib import Path

from readbench.api import Response
from readbench.base.errors import ConfigError
from readbench.models import folder
from readbench.models.generation import Greedy
from readbench.models.memory import keep_freed_memory
from readbench.models.text import render


class LocalTeacher:
    """A Hugging Face causal language model; loaded when it is first asked."""

    def __init__(self, path: Path, *, device: str) -> None:
        folder.check_model(path)
        self._path = path
        self._device = device
        self._context = folder.context_length(path)

    def fingerprint(self) -> str:
        """Content of the model folder and way of decoding."""
        return f"{folder.fingerprint(self._path)}:{folder.DECODING}"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """Greedy responses, in order; ConfigError where a prompt does not fit the teacher's context."""
        rendered = [tuple(render(self._greedy.tokenizer, prompt)) for prompt in prompts]
        for ids in rendered:
            if len(ids) + max_new_tokens > self._context:
                raise ConfigError(
                    f"a prompt has {len(ids)} tokens, and {max_new_tokens} new ones do not fit the teacher's context of {self._context}",
                    hint="use shorter prompts, a smaller max_new_tokens, or a teacher with a longer context",
                )
        return self._greedy.respond(rendered, max_new_tokens=max_new_tokens)

    @functools.cached_property
    def _greedy(self) -> Greedy:
        keep_freed_memory()
        return Greedy(folder.load_causal_lm(self._path, self._device), folder.load_tokenizer(self._path))
