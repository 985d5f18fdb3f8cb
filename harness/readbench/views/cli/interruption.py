"""Ctrl-C and SIGTERM during a long command: one line, with what goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from readbench.base.errors import ReadbenchError


class InterruptedRunError(ReadbenchError):
    """Stopped from the keyboard; what was committed is kept."""

    exit_code = 130


class TerminatedRunError(InterruptedRunError):
    """Stopped by SIGTERM."""

    exit_code = 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM: a batch system's Ctrl-C."""


@contextmanager
def interruptible(hint: str) -> Iterator[None]:
    """Turns Ctrl-C and SIGTERM into one line with the hint."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as error:
        kind = TerminatedRunError if isinstance(error, _Terminated) else InterruptedRunError
        raise kind("interrupted", hint=hint) from error


def _terminate(*_: object) -> None:
    raise _Terminated
