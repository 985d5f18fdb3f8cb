"""Teachers: a local model that answers greedily, and a cache of responses that all trials of a run share."""

import functools
import time
from collections.abc import Sequence
from pathlib import Path

from readbench import models
from readbench.api import Response, Teacher
from readbench.errors import ConfigError
from readbench.greedy import Greedy
from readbench.memory import keep_freed_memory
from readbench.responses import ResponseCache

__all__ = ["CachedTeacher", "LocalTeacher", "ResponseCache"]


class LocalTeacher:
    """A Hugging Face causal language model; loaded when it is first asked."""

    def __init__(self, path: Path, *, device: str) -> None:
        models.check_model(path)
        self._path = path
        self._device = device
        self._context = models.context_length(path)

    def fingerprint(self) -> str:
        """Content of the model folder and way of decoding."""
        return f"{models.fingerprint(self._path)}:{models.DECODING}"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """Greedy responses, in order; ConfigError where a prompt does not fit the teacher's context."""
        rendered = [tuple(models.render(self._greedy.tokenizer, prompt)) for prompt in prompts]
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
        return Greedy(models.load_causal_lm(self._path, self._device), models.load_tokenizer(self._path))


class CachedTeacher:
    """Asks its teacher only what the cache does not hold, each prompt once, and stores the answers before they are used."""

    def __init__(self, teacher: Teacher, cache: ResponseCache) -> None:
        self._teacher = teacher
        self._cache = cache
        self.seconds = 0.0  # spent in the teacher
        self.asked = 0  # prompts that it was asked

    def fingerprint(self) -> str:
        """The teacher's."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self) -> str:
        return self._teacher.fingerprint()

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """One response a prompt, in order."""
        known = self._cache.get(self._fingerprint, prompts, max_new_tokens=max_new_tokens)
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if missing:
            began = time.perf_counter()
            responses = self._teacher.respond(missing, max_new_tokens=max_new_tokens)
            self.seconds += time.perf_counter() - began
            self.asked += len(missing)
            known |= self._cache.put(self._fingerprint, dict(zip(missing, responses, strict=True)), max_new_tokens=max_new_tokens)
        return [known[prompt] for prompt in prompts]
