"""Errors that a user can fix, each reported in one line.

Every error that a user can cause is a :class:`ReadbenchError`: the command line prints its message and hint, and
exits with its exit code; the traceback is shown only with ``--debug``. Any other exception that escapes is a bug.
"""

import difflib
from collections.abc import Iterable


class ReadbenchError(Exception):
    """A user's mistake or a broken environment: `message` says what is wrong, `hint` what to do."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["ReadbenchError"], tuple[str], dict[str, str]]:
        return type(self), (self.message,), {"hint": self.hint}  # an error in a worker process keeps its hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(ReadbenchError):
    """A setting, a suite, a model or a plug-in that cannot be used as given (exit code 2)."""


class DamagedError(ConfigError):
    """A file of a run no longer holds what was written: an error of the run, never of the trial that reads it."""


class IncompleteRunError(ReadbenchError):
    """A run with missing or failed trials (exit code 4)."""

    exit_code = 4


class SurroundingError(ReadbenchError):
    """The machine lacks something: a device, a dependency, a writable disk (exit code 5)."""

    exit_code = 5


class TrialFailure(Exception):
    """A trial cannot continue (a loss that explodes, an allocator that returns NaN): recorded; the other trials continue."""


def near_match(name: str, known: Iterable[str]) -> str:
    """The hint for an unknown name: the nearest known one and the list of all."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    listed = ", ".join(choices) or "none"
    return f"did you mean {near[0]!r}? (known: {listed})" if near else f"known: {listed}"
