"""What a shell is offered when it asks what may come next."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from readbench.views.cli.reading import COMPLETION


def offered(words: str) -> list[str]:
    asked = os.environ | {COMPLETION: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-m", "readbench"], env=asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("readbench re", ["resume", "results", "report", "requirement"]),
        ("readbench run --bud", ["--budget", "--budgets"]),
        ("readbench run --suite misr", ["misread"]),
        ("readbench run --allocators read,hori", ["read,horizon"]),
        ("readbench run --objective on-", ["on-policy-kl"]),
    ],
)
def test_commands_options_and_names_are_offered(words: str, found: list[str]) -> None:
    assert offered(words) == found


def test_the_script_is_shown(readbench: Callable[..., Any]) -> None:
    outcome = readbench("--show-completion", "bash")
    assert (outcome.code, outcome.err) == (0, "")
    assert COMPLETION in outcome.out
