"""Numbers as text and as table cells, the same everywhere on the page."""

from readbench.results.stats import Difference, Estimate
from readbench.views.console.text import printable
from readbench.views.report.model import Cell

NOTHING = "–"
MINUS = "−"


def text(value: object, *, key: str | None = None, best: bool = False) -> Cell:
    """A name or a sentence, in one printable line."""
    shown = printable(value)
    return Cell(text=shown, key=shown if key is None else key, best=best)


def number(value: float | None, spec: str = ".3f", *, best: bool = False) -> Cell:
    """A number, or a dash that sorts last."""
    return Cell(text=NOTHING, key=None) if value is None else Cell(text=figure(value, spec), key=value, best=best)


def spread(value: Estimate | None, spec: str = ".3f", *, best: bool = False) -> Cell:
    """``0.786`` and below it ``± 0.022``: mean and sample standard deviation over the seeds."""
    if value is None:
        return Cell(text=NOTHING, key=None)
    below = "" if value.sd is None else f"± {figure(value.sd, spec)}"
    return Cell(text=figure(value.mean, spec), key=value.mean, best=best, spread=below)


def interval(difference: Difference | None, spec: str = "+.3f") -> Cell:
    """``+0.094 to +0.202``, or a dash below three seeds; sorted by its lower end."""
    if difference is None or difference.interval is None:
        return Cell(text=NOTHING, key=None)
    low, high = difference.interval
    return Cell(text=f"{figure(low, spec)} to {figure(high, spec)}", key=low)


def figure(value: float, spec: str = ".3f") -> str:
    """Formatted, with a real minus sign and without a negative zero."""
    shown = format(value, spec)
    if shown.startswith("-"):
        shown = shown if any(c in "123456789" for c in shown) else ("+" if "+" in spec else "") + shown[1:]
    return shown.replace("-", MINUS)
