"""A teacher of a plug-in that misbehaves stops the run in one line; no trial is at fault, and nothing of it is stored."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from readbench.api import Response
from readbench.base.errors import SurroundingError
from readbench.teachers.cached import CachedTeacher
from readbench.teachers.responses import ResponseCache

Answer = Callable[[Sequence[str]], object]


class Scripted:
    """Gives what a function makes of the prompts."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def fingerprint(self) -> str:
        return "scripted"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> object:  # noqa: ARG002 - the contract
        return self._answer(prompts)


def leave(_: Sequence[str]) -> object:
    raise SystemExit(0)


def fail(_: Sequence[str]) -> object:
    raise ZeroDivisionError("by nothing")


def each(text: object, tokens: object, finished: bool = True) -> Answer:
    return lambda prompts: [Response(text=text, tokens=tokens, finished=finished) for _ in prompts]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (leave, "raised SystemExit: 0"),
        (fail, "raised ZeroDivisionError: by nothing"),
        (lambda prompts: [Response(text="4", tokens=2, finished=True)] * (len(prompts) - 1), "gave 1 answers to 2 prompts"),
        (lambda _: None, "gave NoneType to 2 prompts"),
        (each(None, 2), "not a Response with a text"),
        (each("4", -1), "reports -1 tokens for an answer of at most 8"),
        (each("4", 9), "reports 9 tokens for an answer of at most 8"),
        (each("4", 0), "reports 0 tokens for a text that is not empty"),
    ],
)
def test_what_cannot_be_charged_is_refused_and_not_stored(answer: Answer, said: str, tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "responses.sqlite")
    with pytest.raises(SurroundingError, match="teacher 'Scripted'") as caught:
        CachedTeacher(Scripted(answer), cache).respond(["a", "b"], max_new_tokens=8)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert cache.get("scripted", ["a", "b"], max_new_tokens=8) == {}


def test_an_answer_that_is_empty_because_the_limit_came_first_is_paid_for_once(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "responses.sqlite")
    for answer in (each("", 8, finished=False), fail):  # the second is never asked
        with pytest.raises(SurroundingError, match="ran out before it began to answer"):
            CachedTeacher(Scripted(answer), cache).respond(["a"], max_new_tokens=8)  # type: ignore[arg-type]


def test_an_empty_answer_that_ended_is_an_answer(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "responses.sqlite")
    (response,) = CachedTeacher(Scripted(each("", 1)), cache).respond(["a"], max_new_tokens=8)  # type: ignore[arg-type]
    assert (response.text, response.tokens) == ("", 1)
