"""A comparison as a file: markdown for an issue or a pull request, LaTeX for a paper, CSV for everything else."""

from dataclasses import asdict, fields

from readbench.results.comparison import Comparison, Row
from readbench.results.tables import csv_bytes
from readbench.views.console.comparison import by_family, cells, columns, heading, notes
from readbench.views.console.text import printable

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]()#!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def to_markdown(comparison: Comparison, *, title: str) -> bytes:
    """One table a family."""
    lines = [f"# {_escaped(title, _MARKDOWN)}", ""]
    names = columns(comparison)
    for family, rows in by_family(comparison.rows).items():
        lines += [_sentence(heading(comparison, family), _MARKDOWN), ""]
        lines += [f"| {' | '.join(names)} |", "|" + "---|" * 2 + "---:|" * (len(names) - 2)]
        lines += [f"| {' | '.join(_escaped(text, _MARKDOWN) for text in cells(row))} |" for row in rows]
        lines.append("")
    lines += [f"- {_sentence(note, _MARKDOWN)}" for note in notes(comparison)]
    return ("\n".join(lines) + "\n").encode()


def to_latex(comparison: Comparison, *, title: str) -> bytes:
    r"""One ``table`` a family, for ``\usepackage{booktabs}``."""
    names = columns(comparison)
    lines = [f"% {printable(title)}: readbench compare; needs \\usepackage{{booktabs}}"]
    for family, rows in by_family(comparison.rows).items():
        lines += [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{_sentence(heading(comparison, family), _LATEX)}. Reference: {_escaped(comparison.reference, _LATEX)}.}}",
            rf"\begin{{tabular}}{{ll{'r' * (len(names) - 2)}}}",
            r"\toprule",
            " & ".join(_escaped(name, _LATEX) for name in names) + r" \\",
            r"\midrule",
            *(" & ".join(_escaped(text, _LATEX) for text in cells(row)) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return ("\n".join(lines) + "\n").encode()


def to_csv(comparison: Comparison) -> bytes:
    """Every field of every row, unrounded."""
    return csv_bytes([field.name for field in fields(Row)], map(asdict, comparison.rows))


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in printable(text))


def _sentence(text: str, escapes: dict[str, str]) -> str:
    return _escaped(text[0].upper() + text[1:], escapes)
