"""A teacher behind the cache of responses that all trials of a run share.

An answer that is empty because the limit came first teaches nothing. It is stored like any other, so that it is paid for once,
and it stops the run, today and at every resume: the allocator did nothing wrong, so the trial has not failed.
"""

import functools
import time
from collections.abc import Sequence

from readbench.api import Response, Teacher
from readbench.base.errors import SurroundingError
from readbench.teachers.responses import ResponseCache


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
        """One response a prompt, in order; SurroundingError where a stored or a new answer is empty and unfinished."""
        known = self._cache.get(self._fingerprint, prompts, max_new_tokens=max_new_tokens)
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if missing:
            began = time.perf_counter()
            answers = self._teacher.respond(missing, max_new_tokens=max_new_tokens)
            self.seconds += time.perf_counter() - began
            self.asked += len(missing)
            known |= self._cache.put(self._fingerprint, dict(zip(missing, answers, strict=True)), max_new_tokens=max_new_tokens)
        responses = [known[prompt] for prompt in prompts]
        if any(not response.text and not response.finished for response in responses):
            raise SurroundingError(
                f"the teacher's max_new_tokens ({max_new_tokens}) ran out before it began to answer a prompt",
                hint="begin a new run with a higher max_new_tokens, or turn the teacher's thinking off",
            )
        return responses
