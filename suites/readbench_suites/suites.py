"""The suites that ship: each is the folder that holds its suite.yaml and its test set (docs/lab.md, docs/suites.md)."""

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


@suite("lm-math")
def lm_math() -> Path:
    """A mixture in plain language: word problems, sums, equations; for any instruct model."""
    return HERE / "lm_math"


@suite("lm-reasoning")
def lm_reasoning() -> Path:
    """A mixture in plain language: liars and truth-tellers, syllogisms, families; for any instruct model."""
    return HERE / "lm_reasoning"


@suite("lm-tools")
def lm_tools() -> Path:
    """Joint, in plain language: a figure or a sum, and a tool call; for any instruct model."""
    return HERE / "lm_tools"


@suite("lm-generalist")
def lm_generalist() -> Path:
    """A mixture in plain language: problems, puzzles, calls, tables, translation; for any instruct model."""
    return HERE / "lm_generalist"


@suite("logic")
def logic() -> Path:
    """A mixture in plain language: knights and knaves, RLAD's own domain, trained with `rlad`; for any instruct model."""
    return HERE / "logic"
