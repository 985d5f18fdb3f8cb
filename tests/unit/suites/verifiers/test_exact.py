"""Short texts as models write them."""

import pytest

from readbench import make_verifier
from readbench.api import Question

RIGHT = [  # the reference is "New York"
    "New York",
    "new york",
    "NEW YORK",
    "New  York",
    " New York\n",
    "New York.",
    "New York!",
    '"New York"',
    "“New York”",
    "'New York'",
    "(New York)",
    "**New York**",
    "*New York*",
    "`New York`",
    "_New York_",
    "The answer is New York",
    "The answer is New York.",
    "The answer is: New York.",
    "The answer is **New York**.",
    "Answer: New York",
    "answer: new york",
    "Final answer: New York",
    "**Final Answer:** New York",
    "#### New York",
    r"\boxed{New York}",
    r"$\boxed{New York}$",
    "It is not Boston.\nNew York",
    "I thought of Boston.\n\nAnswer: New York",
    "```\nNew York\n```",
    "Answer:\nNew York",
    "Ｎｅｗ Ｙｏｒｋ",
    "New York",
    "Result: New York",
    "Result = New York",
    "- Boston is wrong.\n- So:\n\nNew York.",
    "The final answer is New York",
]
WRONG = [
    "",
    " ",
    "York",
    "New",
    "NewYork",
    "New York City",
    "Not New York",
    "The answer is Boston",
    "Answer: Boston, not New York",
    "New York or Boston",
    r"\boxed{Boston}, not New York",
    r"\boxed{New York",
    "New York\nBoston",
    "Answer: New York\nAnswer: Boston",
    "new-york",
    "Nueva York",
    "New Y0rk",
    "I do not know",
    "None",
    "\x00",
    "New York" * 2,
    "Answer:",
    "####",
    "The answer is",
]
HOSTILE = [
    "a" * 1_000_000,
    "\x1b[31m" * 20_000,
    "\ud800" * 10,
    "answer is " * 20_000 + "no",
    "`" * 100_000,
    "*" * 100_000,
    "_a " * 33_000,
    "\\boxed{{" * 9_000,
]


@pytest.mark.parametrize("answer", RIGHT)
def test_right(answer: str) -> None:
    assert make_verifier("exact").score(Question(prompt="?", answer="New York"), answer) == 1.0


@pytest.mark.parametrize("answer", WRONG)
def test_wrong(answer: str) -> None:
    assert make_verifier("exact").score(Question(prompt="?", answer="New York"), answer) == 0.0


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_wrong(answer: str) -> None:
    assert make_verifier("exact").score(Question(prompt="?", answer="New York"), answer) == 0.0


@pytest.mark.parametrize("text", ["the answer", "x = 4", "a_b_c", "f(x)", "Zürich", "東京", "3.5", "-1", "C++", "[1, 2]"])
def test_a_reference_answers_itself(text: str) -> None:
    assert make_verifier("exact").score(Question(prompt="?", answer=text), text) == 1.0
    assert make_verifier("exact").score(Question(prompt="?", answer=text), "other") == 0.0
