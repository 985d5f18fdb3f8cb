"""``number``: the last number of the final answer, however it is written."""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import final_answer, reference_of

_MAX_DIGITS = 60
_MAX_EXPONENT = 300
_SPACE = r"[ \u00a0\u2009\u202f'’]"  # between groups of three digits
_DIGITS = rf"\d{{1,3}}(?:{_SPACE}\d{{3}})+(?![\d])(?:[.,]\d+)?|\d[\d.,]*\d|\d|[.]\d+"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.)])[-+]\s?)?(?:[$€£¥₹]\s?)?(?P<inner>(?<![\w.)])-)?"
    rf"(?:(?P<whole>\d+)\s+(?P<mixed>\d+/\d+)|(?P<top>\d+)\s?/\s?(?P<bottom>\d+)(?!\s?[/\d])|(?P<digits>{_DIGITS}))"
    r"(?:[eE](?P<exponent>[-+]?\d+)|\s?(?:×|x|\*)\s?10\s?\^\s?\{?(?P<power>[-+]?\d+)\}?)?"
    r"(?P<percent>\s?(?:%|percent\b|per cent\b))?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{?(\d+)\}?\s*\{?(\d+)\}?")
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_VULGAR = re.compile(r"(\d)([¼-¾⅐-⅞])")
_TRANSLATED = str.maketrans({"−": "-", "⁄": "/", "٫": ".", "٬": ",", "～": "~"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: 50 % has the figure 50 and the value 1/2."""

    figure: Fraction
    percent: bool

    @property
    def value(self) -> Fraction:
        """What it means."""
        return self.figure / 100 if self.percent else self.figure


class Numeric:
    """Compares the last number of the final answer with the reference."""

    def __init__(self, tolerance: float) -> None:
        if not 0 <= tolerance < 1:
            raise ConfigError(f"params.verifier.number.tolerance is {tolerance}", hint="give a share from 0 to below 1")
        self._tolerance = Fraction(tolerance)

    def score(self, question: Question, answer: str) -> float:
        """1 if they are equal within the tolerance, else 0.

        Where only one of the two has a percent sign, equal figures are right too: "50 %" answers 50 as well as 0.5.
        """
        reference = last_number(reference_of(question))
        if reference is None:
            raise ConfigError(f"verifier number needs a number as the right answer, not {reference_of(question)!r:.40}")
        given = last_number(final_answer(answer))
        if given is None:
            return 0.0
        figures = given.percent != reference.percent and self._equal(given.figure, reference.figure)
        return float(figures or self._equal(given.value, reference.value))

    def _equal(self, given: Fraction, reference: Fraction) -> bool:
        return abs(given - reference) <= self._tolerance * abs(reference)


def last_number(text: str) -> Number | None:
    """The last number of the text; None if there is none."""
    text = _VULGAR.sub(r"\1 \2", text)
    text = unicodedata.normalize("NFKC", _LATEX.sub(r"\1", _FRACTION.sub(r" \1/\2", text))).translate(_TRANSLATED)
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)
    text = re.sub(r"\\(?:times|cdot)", "×", text.replace("{,}", ",").replace("\\%", "%").replace("\\$", "$"))
    text = re.sub(r"\\[,;:! ]", " ", text)
    for match in reversed(list(_NUMBER.finditer(text))):
        number = _number(match)
        if number is not None:
            return number
    return None


def _number(match: re.Match[str]) -> Number | None:
    exponent = int((match["exponent"] or match["power"] or "0")[:6])
    if len(match[0]) > _MAX_DIGITS or abs(exponent) > _MAX_EXPONENT:
        return None
    try:
        if match["mixed"]:
            figure = int(match["whole"]) + Fraction(match["mixed"])
        elif match["top"]:
            figure = Fraction(int(match["top"]), int(match["bottom"]))
        else:
            figure = Fraction(_decimal(match["digits"]))
    except (ValueError, ZeroDivisionError):
        return None
    negative = "-" in (match["sign"] or "") or match["inner"] is not None
    figure = (-figure if negative else figure) * Fraction(10) ** exponent
    return Number(figure=figure, percent=match["percent"] is not None)


def _decimal(digits: str) -> str:
    """The digits with a decimal point and without separators: 1,234.5 and 1.234,5 and 1 234,5 are one number.

    A single comma before exactly three digits separates thousands (unless a lone 0 is before it); a single point is always
    decimal.
    """
    digits = re.sub(_SPACE, "", digits)
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        thousands, decimal = (",", ".") if point > comma else (".", ",")
        return digits.replace(thousands, "").replace(decimal, ".")
    if comma >= 0:
        groups = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}", digits)
        return digits.replace(",", "") if groups else digits.replace(",", ".")
    return digits.replace(".", "") if digits.count(".") > 1 else digits


@verifier("number")
def number(*, tolerance: float = 1e-6) -> Verifier:
    """The last number of the final answer: separators, currency, percent, fractions, LaTeX, any script's digits."""
    return Numeric(tolerance)
