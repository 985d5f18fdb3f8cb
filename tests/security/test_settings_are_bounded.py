"""A setting cannot ask for memory or numbers without bound: refused in one line before anything is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN = ("run", "--suite", "reasoning", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", "99999999999999"), "more than 1000"),
        (("--seeds", "9" * 5000), "not whole numbers"),
        (("--seeds", ",".join(map(str, range(1001)))), "seeds"),
        (("--seeds", "1,99999999999999999999"), "an integer is larger"),
        (("--set", "seeds=0x" + "f" * 5000), "an integer is larger"),
        (("--set", "budget_tokens=0x" + "f" * 5000), "an integer is larger"),
        (("--budget", str(2**40)), "budgets.0: input should be less than or equal to"),
        (("--budget", str(10**30)), "is not a whole number of tokens"),
        (("--set", "training.learning_rate=1e400"), "not a finite number"),
        (("--set", "training.learning_rate=1e300"), "larger than 1e+15"),
        (("--set", "params.read.kappa=" + "1:" * 400 + "1.5"), "not valid YAML"),
        (("--set", "suite=0x" + "f" * 5000), "an integer is larger"),
        (("--set", "params=" + "[" * 3000), "nested deeper"),
        (("--set", "device=!!python/name:os.system"), "tags are not allowed"),
        (("--spend-limit", "9" * 5000), "spend limit"),
    ],
    ids=range(15),
)
def test_what_has_no_bound_is_refused(readbench: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    outcome = readbench(*RUN, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert len(outcome.err) < 2500
    assert said in outcome.err


def test_damaged_weights_are_one_line_before_a_run(readbench: Callable[..., Any], model: Path) -> None:
    for content in (b"", b"abc", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x10\0\0\0\0\0\0\0" + b'{"w": {"dtype":1}}'):
        (model / "model.safetensors").write_bytes(content)
        outcome = readbench(*RUN, "--student", model)
        assert outcome.code == 2
        assert "its header cannot be read" in outcome.err
        assert outcome.err.count("\n") == 1
