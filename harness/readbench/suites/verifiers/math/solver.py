"""Asks a child process whether two texts are the same mathematics; the child is kept, and made anew when it had to be ended."""

import atexit
import functools
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

from readbench.base.errors import SurroundingError

_CHILD = Path(__file__).with_name("_child.py")
_PATIENCE = 4  # wall time, as a multiple of the CPU time: a busy machine must not decide what is right
_START_SECONDS = 120
_LOCK = threading.Lock()
_CHILDREN: dict[int, "subprocess.Popen[bytes]"] = {}  # by our process: a forked one needs its own


@functools.lru_cache(maxsize=4096)
def equal(reference: str, answer: str, *, seconds: int) -> bool | None:
    """Whether they are equal; None if the reference has no LaTeX that can be read. SurroundingError without the package."""
    with _LOCK:
        said = _ask(reference, answer, seconds) or _ask(reference, answer, seconds)  # again if something else ended the child
    return None if said == b"null" else said == b"true"


def _ask(reference: str, answer: str, seconds: int) -> bytes:
    """What the child says, "late" if it takes too long; empty if it died."""
    child = _child()
    assert child.stdin is not None  # noqa: S101 - for the type checker
    try:
        child.stdin.write(json.dumps([reference, answer, seconds]).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        said = b""
    else:
        said = _line(child, seconds * _PATIENCE)
    if said in (b"", b"late"):
        _end()
    return said


def _child() -> "subprocess.Popen[bytes]":
    """The running child of this process, started if there is none."""
    child = _CHILDREN.get(os.getpid())
    if child is not None:
        return child
    for package in ("math_verify", "antlr4"):
        if importlib.util.find_spec(package) is None:
            raise SurroundingError(f"verifier math needs {package}, which is not installed", hint="pip install 'readbench[verifiers]'")
    child = subprocess.Popen(  # noqa: S603 - our own file
        [sys.executable, "-I", str(_CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if _line(child, _START_SECONDS) != b"ready":
        child.kill()
        _, errors = child.communicate()
        why = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise SurroundingError(f"verifier math cannot start math-verify: {why or 'it says nothing'}")
    _CHILDREN[os.getpid()] = child
    return child


def _line(child: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """Its next line, without the end; "late" if it takes longer, empty if it ended."""
    assert child.stdout is not None  # noqa: S101 - for the type checker
    ready, _, _ = select.select([child.stdout], [], [], seconds)
    return child.stdout.readline().strip() if ready else b"late"


@atexit.register
def _end() -> None:
    child = _CHILDREN.pop(os.getpid(), None)
    if child is not None:
        child.kill()
        child.communicate()
