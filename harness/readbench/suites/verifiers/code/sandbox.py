"""Runs a Python program with its tests inside bubblewrap: no network, no files but Python's own, no other processes, little memory.

The program sees a read-only copy of the interpreter and its standard library, and an empty /tmp of 16 MB in memory. It has a user,
a network and a process table of its own, no environment, no capability, and no way to make a process: bubblewrap cannot bound their
number for every user, so a seccomp filter refuses fork, vfork and clone (threads are allowed). Memory, CPU time and the size of files
are limited by the process itself before it runs the program, for good. Whether the tests passed is told by a random word that is read
after the program has run: a program that exits early, prints "ok" or kills its interpreter has not passed. A program that attacks the
tests themselves, in their own process, may still pass: the sandbox protects the machine, not the score.
"""

import functools
import os
import platform
import secrets
import select
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

from readbench.base.errors import SurroundingError

_PATIENCE = 4  # wall time, as a multiple of the CPU time: a busy machine must not decide what is right
_INSIDE = Path(__file__).with_name("_sandboxed.py")
_HOME, _TMP_BYTES = "/tmp", 16 << 20  # noqa: S108 - inside the sandbox


@functools.cache
def check_sandbox() -> None:
    """SurroundingError with what to do if no sandbox can be made here."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        raise SurroundingError("verifier code needs bubblewrap, which is not installed", hint="apt install bubblewrap (Linux only)")
    if platform.machine() not in _ARCHITECTURES:
        raise SurroundingError(f"verifier code has no filter of system calls for {platform.machine()}", hint="x86_64 and aarch64 have one")
    passed, said = _run("x = 1", "assert x == 1", seconds=10, memory_mb=256)
    if not passed:
        raise SurroundingError(
            f"bubblewrap cannot make a sandbox here: {said}", hint="it needs user namespaces; try: bwrap --ro-bind / / true"
        )


def passes(program: str, tests: str, *, seconds: int, memory_mb: int) -> bool:
    """Whether the tests, run after the program in its namespace, raise nothing; `seconds` are of CPU time."""
    check_sandbox()
    return _run(program, tests, seconds=seconds, memory_mb=memory_mb)[0]


def _run(program: str, tests: str, *, seconds: int, memory_mb: int) -> tuple[bool, str]:
    """Whether the tests passed, and the first line that bubblewrap or the interpreter said."""
    word = secrets.token_hex(16).encode()
    limits = struct.pack("<QQ", seconds, memory_mb << 20)
    message = limits + b"".join(_sized(part) for part in (program.encode("utf-8", "replace"), tests.encode("utf-8", "replace"), word))
    filter_read, filter_write = os.pipe()
    os.write(filter_write, _no_processes())
    os.close(filter_write)
    try:
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            _command(filter_read), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[filter_read], env={}
        )
    finally:
        os.close(filter_read)
    try:
        said = _exchange(process, message, time.monotonic() + _PATIENCE * seconds)
    finally:
        process.kill()  # and with it, as its parent, everything in the sandbox
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return said[0] == word, said[1].decode("utf-8", "replace").strip().partition("\n")[0]


def _exchange(process: "subprocess.Popen[bytes]", message: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Sends the message and returns the first bytes of both outputs, until the process has ended or the time is up."""
    assert process.stdin is not None  # noqa: S101 - opened as pipes
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    inlet, outlets = process.stdin.fileno(), {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    first, second = outlets
    os.set_blocking(inlet, False)
    waiting = set(outlets)
    while waiting and (left := deadline - time.monotonic()) > 0:
        readable, writable, _ = select.select(waiting, [inlet] if message else [], [], left)
        if writable:
            try:
                message = message[os.write(inlet, message) :]
            except BrokenPipeError:
                message = b""
        for outlet in readable:
            chunk = os.read(outlet, 4096)
            outlets[outlet] = (outlets[outlet] + chunk)[:4096]  # the rest of a flood is dropped
            if not chunk:
                waiting.discard(outlet)
    return outlets[first], outlets[second]


def _command(filter_fd: int) -> list[str]:
    """The interpreter in its sandbox."""
    python = Path(sys.base_prefix)
    executable = python / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = [part for name in ("/usr", "/lib", "/lib64") for part in ("--ro-bind-try", name, name)]
    if not python.is_relative_to("/usr"):
        binds += ["--ro-bind", str(python), str(python)]
    return [
        str(shutil.which("bwrap")),
        *("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--setenv", "PYTHONHASHSEED", "0"),
        *(*binds, "--dev", "/dev", "--size", str(_TMP_BYTES), "--tmpfs", _HOME, "--chdir", _HOME),
        *("--ro-bind", str(_INSIDE), "/sandboxed.py", "--seccomp", str(filter_fd), "--"),
        *(str(executable), "-S", "-s", "-P", "-B", "/sandboxed.py"),
    ]


def _sized(part: bytes) -> bytes:
    return struct.pack("<Q", len(part)) + part


# AUDIT_ARCH, and the numbers of the system calls that make a process: (clone, clone3, others).
_ARCHITECTURES = {"x86_64": (0xC000003E, 56, 435, (57, 58)), "aarch64": (0xC00000B7, 220, 435, ())}
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # classic BPF (linux/bpf_common.h)
_ALLOW, _REFUSE, _UNKNOWN, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # with EPERM, with ENOSYS
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # numbers from here on are x32's: another table


def _no_processes() -> bytes:
    """A seccomp filter that refuses every way to make a process, but not a thread.

    clone3's flags lie in memory, which a filter cannot read: it is reported as unknown, and the C library falls back to clone.
    """
    arch, clone, clone3, others = _ARCHITECTURES[platform.machine()]
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for number in others:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    program += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _UNKNOWN)]
    program += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16), (_HAS_BITS, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _REFUSE)]
    program += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
