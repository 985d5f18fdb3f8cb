"""A teacher behind the cache of responses that all trials of a run share.

An answer that is empty because the limit came first teaches nothing. It is stored like any other, so that it is paid for once,
and it stops the run, today and at every resume: the allocator did nothing wrong, so the trial has not failed.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from readbench.api import Response, Scored, Teacher, Vector
from readbench.base.errors import ReadbenchError, SurroundingError, TrialFailure
from readbench.teachers.responses import ResponseCache

_REPAIR = "fix the plug-in, then resume the run"


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
        """One response a prompt, in order; SurroundingError where a stored or a new answer is empty and unfinished."""
        known = self._cache.get(self._fingerprint, prompts, max_new_tokens=max_new_tokens)
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if missing:
            answers = _asked(self._teacher, missing, max_new_tokens)
            known |= self._cache.put(self._fingerprint, dict(zip(missing, answers, strict=True)), max_new_tokens=max_new_tokens)
        responses = [known[prompt] for prompt in prompts]
        if any(not response.text and not response.finished for response in responses):
            raise SurroundingError(
                f"the teacher's max_new_tokens ({max_new_tokens}) ran out before it began to answer a prompt",
                hint="begin a new run with a higher max_new_tokens, or turn the teacher's thinking off",
            )
        return responses

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        """The log-probabilities of each sequence's tokens after its prompt, in order; SurroundingError where some are no such thing."""
        return self._read(sequences, 0)

    def top(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        """See `readbench.api.ScoringTeacher.top`; SurroundingError where some are no such thing."""
        return self._read(sequences, k)

    def _read(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        known = self._cache.get_scores(self._fingerprint, sequences, k)
        missing = [sequence for sequence in dict.fromkeys(sequences) if sequence not in known]
        if missing:
            self._cache.put_scores(self._fingerprint, dict(zip(missing, _scored(self._teacher, missing, k), strict=True)), k)
            known |= self._cache.get_scores(self._fingerprint, missing, k)
        return [known[sequence] for sequence in sequences]


def _scored(teacher: Any, sequences: Sequence[Scored], k: int) -> list[Vector]:
    """What a teacher gives, checked as `_asked` does."""
    name = type(teacher).__name__
    try:
        given = teacher.top(sequences, k) if k else teacher.score(sequences)
        scores = [np.asarray(each, dtype=np.float64) for each in given]
    except (ReadbenchError, TrialFailure, KeyboardInterrupt):
        raise
    except BaseException as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SurroundingError(f"teacher {name!r} raised {reason}", hint=_REPAIR) from error
    wanted = [(len(tokens) - prompt_length, *([2 * k + 1] if k else [])) for tokens, prompt_length in sequences]
    finite = all(_sound(each, k) for each in scores)
    if [each.shape for each in scores] != wanted or not finite:
        raise SurroundingError(
            f"teacher {name!r} gave no finite log-probability for each token of {len(sequences)} sequences", hint=_REPAIR
        )
    return scores


def _sound(scores: Vector, k: int) -> bool:
    """Whether all are finite; an empty rest beside the most probable ones has a mass of 0."""
    told = scores[..., :-1] if k else scores
    return bool(np.isfinite(told).all()) and bool((scores < np.inf).all())


def _asked(teacher: Teacher, prompts: Sequence[str], max_new_tokens: int) -> list[Response]:
    """The teacher's answers; SurroundingError where it raises, or gives what cannot be charged: no trial is at fault."""
    name = type(teacher).__name__
    try:
        answers = teacher.respond(prompts, max_new_tokens=max_new_tokens)
    except (ReadbenchError, TrialFailure, KeyboardInterrupt):
        raise
    except BaseException as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SurroundingError(f"teacher {name!r} raised {reason}", hint=_REPAIR) from error
    if not isinstance(answers, list | tuple) or len(answers) != len(prompts):
        given = f"{len(answers)} answers" if isinstance(answers, list | tuple) else type(answers).__name__
        raise SurroundingError(f"teacher {name!r} gave {given} to {len(prompts)} prompts", hint=_REPAIR)
    for answer in answers:
        fault = _fault(answer, max_new_tokens)
        if fault:
            raise SurroundingError(f"teacher {name!r} {fault}", hint=_REPAIR)
    return list(answers)


def _fault(answer: object, max_new_tokens: int) -> str:
    """What makes an answer unusable, or an empty text."""
    if not isinstance(answer, Response) or not isinstance(answer.text, str):
        return "gave an answer that is not a Response with a text"
    if type(answer.tokens) is not int or not 0 <= answer.tokens <= max_new_tokens:
        return f"reports {answer.tokens!r} tokens for an answer of at most {max_new_tokens}"
    if answer.text and answer.tokens == 0:
        return "reports 0 tokens for a text that is not empty"
    return ""
