"""Where a free text states its final answer.

Models reason first and answer last: between <answer> tags, in a LaTeX box, after words such as "the answer is", or on the last line.
"""

import re
import unicodedata

from readbench.api import Question

MAX_CHARACTERS = 100_000  # of an answer; what comes before is not read
_TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARK = re.compile(r"(?:####|\bfinal answer\b|\banswer\b|\bresult\b)(?:\s+is\b|\s*[:=])?", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|`+|\$+(?![\d.])")
_EMPHASIS_BUT_LATEX = re.compile(r"\*\*|`+")
_EDGES = " \t.,;:!?\"'“”‘’«»()[]{}<>"


def reference_of(question: Question) -> str:
    """What answers are held against."""
    return question.reference or question.answer


def bounded(text: str) -> str:
    """The end of the text, without characters that cannot be shown or encoded."""
    kept = text[-MAX_CHARACTERS:]
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else " " for c in kept)


def final_answer(text: str, *, latex: bool = False) -> str:
    """The part that states the answer: the last tags, in them or else anywhere the last box, else what follows the last mark, else the
    last line. Emphasis is taken off; where the answer is LaTeX, signs that mean something there stay.
    """
    text = bounded(text)
    tagged = tagged_answer(text)
    text = tagged or text
    boxed = _last_box(text)
    if boxed is not None:
        return boxed.strip()
    text = (_EMPHASIS_BUT_LATEX if latex else _EMPHASIS).sub("", _FENCE.sub("", text))
    if tagged:
        return text.strip()
    marks = [match.end() for match in _MARK.finditer(text)]
    after = _first_line(text[marks[-1] :]) if marks else ""
    return after or _last_line(text)


def tagged_answer(text: str) -> str:
    """What stands in the last <answer> tags, of which the closing one may lack at the end; empty without tags."""
    tagged = _TAGGED.findall(text)
    return tagged[-1].strip() if tagged else ""


def plain(text: str) -> str:
    """NFKC, case folded, white space collapsed, without quotes, brackets and punctuation at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)


def _last_box(text: str) -> str | None:
    openings = [match.end() for match in _BOXED.finditer(text)]
    if not openings:
        return None
    depth, start = 1, openings[-1]
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end]
    return ""  # never closed: the answer was cut off


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.lstrip(" \t:=").splitlines() if line.strip()), "")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
