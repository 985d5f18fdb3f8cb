"""How a command that fails ends: one line on standard error, and an exit code."""

import contextlib
import os
import sys
from typing import cast

import typer

from readbench.base.errors import ReadbenchError

EXIT_USAGE = 2
EXIT_SURROUNDINGS = 5
EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h; 1 is a regression and nothing else
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141  # 128 + SIGPIPE

# typer vendors click in newer versions and depends on it in older ones; the class of every usage error is reached through typer.
UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])


def closed_pipe() -> int:
    """The reader has seen enough (``| head``): what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed from the start, or not a file
            os.dup2(nowhere, stream.fileno())
    return EXIT_CLOSED_PIPE


def unexpected(error: BaseException) -> int:
    """A bug of ours also costs one line, and has an exit code of its own."""
    if isinstance(error, SystemExit) and not error.code:  # nothing went wrong: typer ends so
        return 0
    from readbench.views.console.text import shortened, write_line

    write_line(
        f"error: unexpected {type(error).__name__}: {shortened(' '.join(str(error).split()))}; --debug shows where; please report it"
    )
    return EXIT_UNEXPECTED


def failed(error: BaseException) -> int:
    """One line on standard error, and the exit code."""
    from readbench.views.console.text import shortened, write_line

    if isinstance(error, ReadbenchError):
        write_line(f"error: {shortened(str(error))}")
        return error.exit_code
    if isinstance(error, UsageError):
        message = str(getattr(error, "format_message")())  # noqa: B009 - the class is known at run time only
        command = getattr(getattr(error, "ctx", None), "command_path", "readbench")
        write_line(f"error: {shortened(' '.join(message.split()).rstrip('.'))}; see {command} --help")
        return EXIT_USAGE
    place = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
    reason = str(getattr(error, "strerror", None) or error)
    write_line(f"error: {shortened(reason + place)}; --debug shows where")
    return EXIT_SURROUNDINGS
