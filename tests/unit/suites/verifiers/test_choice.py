"""Letters as models write them."""

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError

RIGHT = [  # the reference is B
    "B",
    "b",
    "B.",
    "(B)",
    "(b)",
    "B)",
    "b)",
    "**B**",
    "**B.** Paris",
    "`B`",
    '"B"',
    "Ｂ",
    "B: Paris",
    "B, since it is the capital",
    "B - Paris",
    "B (Paris)",
    "The answer is B",
    "The answer is B.",
    "The answer is (B).",
    "The answer is **B**.",
    "The answer is (B) Paris.",
    "The correct answer is B: Paris.",
    "Answer: B",
    "Answer: (B)",
    "ANSWER: b",
    "Final answer: B",
    "Final Answer: B) Paris",
    "Option B",
    "option (b)",
    "The correct option is B.",
    "I choose option B.",
    "I think it is (B).",
    "I would say B",
    "choice: B",
    "Choice B is right",
    r"\boxed{B}",
    r"\boxed{\text{B}}",
    r"$\boxed{(B)}$",
    r"Therefore \boxed{\mathrm{B}}",
    "#### B",
    "A is wrong, C too.\nAnswer: B",
    "Let me check (A) and (C).\n\nThe answer is (B)",
    "```\nB\n```",
    "Paris is the capital.\n\nB",
    "The answer is option B",
    "So the answer is:\n\nB",
    "Answer:\n(B)",
]
WRONG = [
    "",
    "A",
    "(C)",
    "Paris",
    "AB",
    "BB",
    "The answer is A.",
    "The answer is (A) or (B).",
    "A or B",
    "A, B",
    "Either B or C",
    "(A) (B) (C) (D)",
    r"\boxed{A}",
    r"\boxed{A, B}",
    "B was my first thought.\nAnswer: C",
    "not sure",
    "I do not know",
    "Both A and B",
    "The answer is D (B is false)",
    "1",
    "β",
    "Option C, not option B",
    "The answer is none of them",
    "\\boxed{B",
    "Answer: BA",
]
HOSTILE = ["(" * 100_000, "(A)(" * 25_000, "\x00" * 999, "\ud800", "A " * 50_000, "\\boxed{" * 14_000, "answer " * 14_000 + "x"]


@pytest.mark.parametrize("answer", RIGHT)
def test_right(answer: str) -> None:
    assert make_verifier("choice").score(Question(prompt="?", answer="B"), answer) == 1.0


@pytest.mark.parametrize("answer", WRONG)
def test_wrong(answer: str) -> None:
    assert make_verifier("choice").score(Question(prompt="?", answer="B"), answer) == 0.0


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_wrong(answer: str) -> None:
    assert make_verifier("choice").score(Question(prompt="?", answer="B"), answer) == 0.0


@pytest.mark.parametrize("reference", ["", "BC", "Paris", "7"])
def test_a_reference_that_is_not_a_letter_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError, match="needs a letter as the right answer"):
        make_verifier("choice").score(Question(prompt="?", answer=reference), "B")
