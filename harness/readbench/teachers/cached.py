"""A teacher behind the cache of responses that all trials of a run share."""

import functools
from collections.abc import Sequence

from readbench.api import Response, Teacher
from readbench.teachers.responses import ResponseCache


class CachedTeacher:
    """Asks its teacher only what the cache does not hold, each prompt once, and stores the answers before they are used."""

    def __init__(self, teacher: Teacher, cache: ResponseCache) -> None:
        self._teacher = teacher
        self._cache = cache

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
            responses = self._teacher.respond(missing, max_new_tokens=max_new_tokens)
            known |= self._cache.put(self._fingerprint, dict(zip(missing, responses, strict=True)), max_new_tokens=max_new_tokens)
        return [known[prompt] for prompt in prompts]
