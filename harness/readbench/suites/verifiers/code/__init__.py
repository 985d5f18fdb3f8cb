"""``code``: the program in the answer passes the tests that are the reference, inside a sandbox.

The reference is Python: it runs after the answer's program, in the same namespace, and passes if it raises nothing (``assert add(2, 3)
== 5``). The program is the last code fence, or the whole answer.
"""

import ast
import re

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError
from readbench.suites.verifiers._final import MAX_CHARACTERS, reference_of

_FENCED = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class Code:
    """Runs what a model wrote, in bounded time and memory, without a network, files or other processes."""

    def __init__(self, *, seconds: int, memory_mb: int) -> None:
        self._seconds = seconds
        self._memory_mb = memory_mb

    def score(self, question: Question, answer: str) -> float:
        """1 if the tests pass, else 0; ConfigError if the tests are no Python, SurroundingError if there is no sandbox."""
        from readbench.suites.verifiers.code.sandbox import passes  # late: the other verifiers need no processes

        tests = reference_of(question)
        try:
            ast.parse(tests)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"verifier code needs tests in Python as the reference: {error} in {tests!r:.60}") from None
        return float(passes(program_of(answer), tests, seconds=self._seconds, memory_mb=self._memory_mb))


def program_of(answer: str) -> str:
    """The program in an answer: its last code fence, or all of it."""
    text = answer[-MAX_CHARACTERS:]
    fences = _FENCED.findall(text)
    return fences[-1][1] if fences else text


@verifier("code")
def code(*, run: bool = False, seconds: int = 5, memory_mb: int = 512) -> Verifier:
    """The answer's program passes the reference's tests, in a sandbox; with run=true only, for it runs what a model wrote."""
    if not run:
        raise ConfigError("verifier code runs what a model wrote", hint="if you want that, give it run=true; it needs bubblewrap (bwrap)")
    if seconds < 1 or memory_mb < 64:
        raise ConfigError("verifier code needs seconds of 1 or more and memory_mb of 64 or more")
    return Code(seconds=seconds, memory_mb=memory_mb)
