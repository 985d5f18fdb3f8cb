"""Regular expressions: whole matches, in bounded time."""

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError

DATE = r"\d{4}-\d{2}-\d{2}"
LIST = r"(?i)\s*-\s*\w+(\n\s*-\s*\w+){2}"
EMAIL = r"[\w.+-]+@[\w-]+\.[\w.]+"
RIGHT = {
    DATE: [
        "2024-07-26",
        "The answer is 2024-07-26",
        "Answer: 2024-07-26",
        "It was a Friday.\n2024-07-26",
        r"\boxed{2024-07-26}",
        "**2024-07-26**",
        "`2024-07-26`",
        "```\n2024-07-26\n```",
        "#### 2024-07-26",
        "٢٠٢٤-٠٧-٢٦",
    ],
    LIST: ["- a\n- b\n- c", "-a\n-b\n-c", " - one\n - two\n - three", "- A\n- B\n- C"],
    EMAIL: ["me@example.org", "Answer: me@example.org", "a.b+c@d-e.co.uk", "Write to us.\nme@example.org", "`me@example.org`"],
    r"(yes|no)": ["yes", "no", "Answer: yes", "So it is clear:\nno", "**yes**"],
    r"(?s).*\bbecause\b.*": ["because", "It rains because it is wet.\nReally.", "Yes, because of that"],
    r"[A-Z]{3}-\d+": ["ABC-1", "Answer: XYZ-99", "ZZZ-0"],
}
WRONG = {
    DATE: [
        "",
        "26.07.2024",
        "2024-7-26",
        "2024-07-26.",
        "on 2024-07-26",
        "2024-07-26 or 2024-07-27",
        "Answer: yesterday",
        "2024-07-26\nI am not sure",
        "20240726",
    ],
    LIST: ["- a\n- b", "a\nb\nc", "- a\n- b\n- c\n- d", "", "- a, - b, - c"],
    EMAIL: ["me@", "@example.org", "me at example.org", "me@example", "me@@example.org"],
    r"(yes|no)": ["maybe", "yes and no", "YES", "", "Answer: perhaps", "noyes"],
    r"(?s).*\bbecause\b.*": ["", "since it rains", "BECAUSE"],
    r"[A-Z]{3}-\d+": ["abc-1", "ABC1", "ABCD-1", "ABC-"],
}
CATASTROPHIC = [r"(a+)+b", r"(a|aa)+b", r"(.*)*x", r"(a*)*\1b", r"([a-z]+)*[0-9]"]


@pytest.mark.parametrize(("pattern", "answer"), [(pattern, answer) for pattern, answers in RIGHT.items() for answer in answers])
def test_right(pattern: str, answer: str) -> None:
    assert make_verifier("regex").score(Question(prompt="?", answer=pattern), answer) == 1.0


@pytest.mark.parametrize(("pattern", "answer"), [(pattern, answer) for pattern, answers in WRONG.items() for answer in answers])
def test_wrong(pattern: str, answer: str) -> None:
    assert make_verifier("regex").score(Question(prompt="?", answer=pattern), answer) == 0.0


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_that_backtracks_without_end_matches_nothing(pattern: str) -> None:
    assert make_verifier("regex").score(Question(prompt="?", answer=pattern), "a" * 50_000 + "!") == 0.0


@pytest.mark.parametrize("answer", ["\x00" * 1000, "\ud800", "a" * 1_000_000, "\n" * 100_000])
def test_hostile_answers_are_wrong(answer: str) -> None:
    assert make_verifier("regex").score(Question(prompt="?", answer=DATE), answer) == 0.0


@pytest.mark.parametrize("pattern", ["(", "[a", "a{9999999999}", "(?P<1>a)", "*"])
def test_a_reference_that_is_not_a_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="needs a pattern as the right answer"):
        make_verifier("regex").score(Question(prompt="?", answer=pattern), "a")
