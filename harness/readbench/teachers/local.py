"""A local Hugging Face causal language model that answers greedily. Importing this module imports no torch: listing plug-ins does."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from readbench.api import Response, Teacher, teacher
from readbench.base.errors import ConfigError
from readbench.models import folder
from readbench.models.text import NO_CHAT, answers_of

if TYPE_CHECKING:
    from readbench.models.language_model import LanguageModel
    from readbench.models.writing.generation import Writer


class LocalTeacher:
    """A Hugging Face causal language model; loaded when it is first asked."""

    def __init__(self, path: Path, *, device: str) -> None:
        folder.check_model(path)
        self._path = path
        self._device = device
        self._context = folder.context_length(path)
        self.chat = NO_CHAT  # how the run speaks to it; set before it is first asked

    def fingerprint(self) -> str:
        """Content of the model folder and way of decoding."""
        return answers_of(folder.fingerprint(self._path), self.chat)

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """Greedy responses, in order; ConfigError where a prompt does not fit the teacher's context."""
        rendered = self.model.render(prompts)
        for ids in rendered:
            if len(ids) + max_new_tokens > self._context:
                raise ConfigError(
                    f"a prompt has {len(ids)} tokens, and {max_new_tokens} new ones do not fit the teacher's context of {self._context}",
                    hint="use shorter prompts, a smaller max_new_tokens, or a teacher with a longer context",
                )
        return self._writer.respond(rendered, max_new_tokens=max_new_tokens)

    @functools.cached_property
    def model(self) -> "LanguageModel":
        """The loaded model."""
        from readbench.models.language_model import LanguageModel

        # a GPU multiplies in bf16 anyway: weights that were saved in it lose nothing, and take half the memory
        weights: folder.Weights = "float32" if self._device == "cpu" else "saved"
        return LanguageModel.load(self._path, device=self._device, chat=self.chat, weights=weights)

    @functools.cached_property
    def _writer(self) -> "Writer":
        return self.model.writer()


@teacher("hf")
def hf(model: str, device: str) -> Teacher:
    """A local Hugging Face causal language model, decoded greedily."""
    return LocalTeacher(folder.resolve_model(model), device=device)
