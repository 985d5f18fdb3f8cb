"""The six suites: each is the folder that holds its suite.yaml, its lm-eval task and its test set (docs/lab.md)."""

from pathlib import Path

from readbench.api import suite

HERE = Path(__file__).parent


@suite("reasoning")
def reasoning_suite() -> Path:
    """All of it can be learned; the hard capability needs more than its weight."""
    return HERE / "reasoning"


@suite("coding")
def coding() -> Path:
    """Code and math carry each other."""
    return HERE / "coding"


@suite("tool-use")
def tool_use_suite() -> Path:
    """What the task needs is easily broken."""
    return HERE / "tool_use"


@suite("multilingual")
def multilingual_suite() -> Path:
    """Slow and steady gains."""
    return HERE / "multilingual"


@suite("generalist")
def generalist() -> Path:
    """Six capabilities, one of which hardly moves within the budget."""
    return HERE / "generalist"


@suite("misread")
def misread() -> Path:
    """Joint items, and a card that asks for the wrong capability."""
    return HERE / "misread"
