"""The six suites: each is the folder that holds its suite.yaml, its lm-eval task and its test set (docs/lab.md)."""

from pathlib import Path

from readbench.api import suite

HERE = Path(__file__).parent


@suite("reasoning")
def reasoning_suite() -> Path:
    """Joint; half of the items can be won, half hardly: w = r 0.22, best mix known 0.38."""
    return HERE / "reasoning"


@suite("coding")
def coding() -> Path:
    """Joint; one step saturates, then the other decides: w = r 0.25, best schedule known 0.38."""
    return HERE / "coding"


@suite("tool-use")
def tool_use_suite() -> Path:
    """Joint; one step is scarce, the others easily broken: w = r 0.23, best schedule known 0.39."""
    return HERE / "tool_use"


@suite("multilingual")
def multilingual_suite() -> Path:
    """A mixture, slow and steady; the control, in which w = r (0.71) is right."""
    return HERE / "multilingual"


@suite("generalist")
def generalist() -> Path:
    """Joint; three of four steps are nearly there: w = r 0.42, best mix known 0.51."""
    return HERE / "generalist"


@suite("misread")
def misread() -> Path:
    """Joint; the card asks for the wrong capability: w = r 0.49, best mix known 0.76."""
    return HERE / "misread"
