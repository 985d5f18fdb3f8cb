"""Numbers as models write them."""

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError

RIGHT = [
    # reference, answer
    ("42", "42"),
    ("42", "42."),
    ("42", "The answer is 42."),
    ("42", "The answer is **42**."),
    ("42", "Answer: 42 apples"),
    ("42", "6 * 7 = 42"),
    ("42", "First 40, then 2 more.\n\nFinal answer: 42"),
    ("42", r"So we get \boxed{42}."),
    ("42", r"$$\boxed{42\text{ cm}}$$"),
    ("42", "#### 42"),
    ("42", "```\n42\n```"),
    ("42", "Result = 42"),
    ("42", "４２"),
    ("42", "٤٢"),
    ("42", "४२"),
    ("42", "+42"),
    ("42", "42.0"),
    ("42", "42,0"),
    ("-5", "-5"),
    ("-5", "−5"),
    ("-5", "x = -5"),
    ("-5", "The temperature is -5 °C."),
    ("-5", "-$5"),
    ("1234", "1,234"),
    ("1234", "1.234,00"),
    ("1234", "1 234"),
    ("1234", "1 234"),
    ("1234", "1’234"),
    ("1234", "$1,234.00"),
    ("1234", r"\$1{,}234"),
    ("1234567.5", "1,234,567.5"),
    ("1234567.5", "1.234.567,5"),
    ("1234567.5", "1 234 567,5"),
    ("1234567", "12,34,567"),
    ("1234.5", "€ 1.234,50"),
    ("0.5", "1/2"),
    ("0.5", "½"),
    ("0.5", ".5"),
    ("0.5", "50%"),
    ("0.5", "0,5"),
    ("0.5", r"\frac{1}{2}"),
    ("0.5", r"The probability is $\dfrac{1}{2}$."),
    ("0.5", r"\boxed{\frac12}"),
    ("1.5", "1 1/2"),
    ("1.5", "1½"),
    ("1.5", "3/2 cups"),
    ("-1.5", r"-\frac{3}{2}"),
    ("50%", "50 %"),
    ("50%", "50 percent"),
    ("50%", "50"),
    ("50%", "0.5"),
    ("50", "50%"),
    ("0.5", "0.5%"),
    (r"50\%", r"50\%"),
    ("120000", "1.2e5"),
    ("120000", "1.2 × 10^5"),
    ("120000", r"1.2 \times 10^{5}"),
    ("0.00012", "1.2E-4"),
    ("3.1415926", "3.14159260001"),
    ("7", "She needs 3 + 4 = 7 eggs"),
    ("18", "Janet makes 9 * 2 = $18 every day."),
    ("1/3", "0.33333333"),
    ("2024", "The year is 2024"),
]
WRONG = [
    ("42", ""),
    ("42", "forty-two"),
    ("42", "43"),
    ("42", "-42"),
    ("42", "4.2"),
    ("42", "420"),
    ("42", "The answer is 42 or 43."),
    ("42", "I first thought 42.\n\nAnswer: 41"),
    ("42", r"\boxed{41} since 42 is too much"),
    ("42", r"\boxed{1}, not 42"),
    ("42", "4 2"),
    ("42", "1/42"),
    ("42", "42e1"),
    ("42", "42000000%"),
    ("1234", "1.234"),
    ("1234", "1,2345"),
    ("1234", "12,34"),
    ("0.5", "5"),
    ("0.5", "1/0"),
    ("0.5", "2/1"),
    ("-5", "5"),
    ("5", "3-5=-2"),
    ("50%", "5"),
    ("50%", "0.05"),
    ("120000", "1.2 × 10^4"),
    ("120000", "12e5"),
    ("3.1415926", "3.1416"),
    ("100", "1e999999999"),
    ("7", "x"),
]
HOSTILE = [
    "9" * 100_000,
    "1," * 50_000,
    "1 " * 50_000,
    "\x00" * 1000,
    "\ud800",
    "1e" + "9" * 90_000,
    "1/" * 50_000,
    "\\boxed{" * 20_000,
    "-" * 99_999,
]


@pytest.mark.parametrize(("reference", "answer"), RIGHT)
def test_right(reference: str, answer: str) -> None:
    assert make_verifier("number").score(Question(prompt="?", answer=reference), answer) == 1.0


@pytest.mark.parametrize(("reference", "answer"), WRONG)
def test_wrong(reference: str, answer: str) -> None:
    assert make_verifier("number").score(Question(prompt="?", answer=reference), answer) == 0.0


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_wrong(answer: str) -> None:
    assert make_verifier("number").score(Question(prompt="?", answer="42"), answer) == 0.0


def test_the_tolerance_is_a_share_of_the_reference() -> None:
    question = Question(prompt="?", answer="200")
    assert make_verifier("number", tolerance=0.01).score(question, "198") == 1.0
    assert make_verifier("number", tolerance=0.01).score(question, "197.9") == 0.0
    with pytest.raises(ConfigError, match=r"params\.verifier\.number\.tolerance is -1"):
        make_verifier("number", tolerance=-1.0)


def test_a_reference_without_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a number as the right answer, not 'many'"):
        make_verifier("number").score(Question(prompt="?", answer="many"), "3")
