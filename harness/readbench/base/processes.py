"""Child processes: they import nothing from the current folder, and their sockets fit wherever TMPDIR points."""

import multiprocessing.util
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Literal, overload

from readbench.base.errors import SurroundingError

# Some systems limit a socket path to 104 bytes, terminator included; multiprocessing adds "/pymp-xxxxxxxx/listener-xxxxxxxx".
_MAX_FOLDER_BYTES = 104 - 1 - len("/pymp-xxxxxxxx/listener-xxxxxxxx")
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - multiprocessing makes a randomly named folder there, for this user alone


@overload
def context(method: Literal["forkserver"]) -> ForkServerContext: ...
@overload
def context(method: Literal["spawn"]) -> SpawnContext: ...
def context(method: Literal["forkserver", "spawn"]) -> ForkServerContext | SpawnContext:
    """How processes are started; SurroundingError if no folder for their sockets can be written.

    multiprocessing starts its helpers with ``python -c``, which looks for modules in the current folder first and would
    run a user's ``random.py``. PYTHONSAFEPATH turns that off in every process that this one starts.
    """
    if not os.environ.get("PYTHONSAFEPATH"):
        os.environ["PYTHONSAFEPATH"] = "1"
    _keep_socket_paths_short()
    return ForkServerContext() if method == "forkserver" else SpawnContext()


def part_from_bars() -> None:
    """Progress bars of libraries take a lock of this process alone.

    tqdm's is shared by all processes that are forked from one: one that is killed while it has it would stop the others at their next bar.
    Nor is there a thread that watches bars: a process that is forked while it has the lock could never have it.
    """
    from tqdm.std import tqdm

    if tqdm.monitor is not None:
        tqdm.monitor.exit()
        tqdm.monitor = None
    tqdm.monitor_interval = 0
    tqdm.set_lock(threading.RLock())


def _keep_socket_paths_short() -> None:
    """If TMPDIR is long, makes multiprocessing create its folder (which it does once) in a shorter place."""
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) <= _MAX_FOLDER_BYTES:
        return
    short = next((folder for folder in _SHORT_FOLDERS if Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)), None)
    if short is None:
        raise SurroundingError(f"TMPDIR is too long for the path of a socket: {usual}", hint="set TMPDIR to a shorter folder")
    tempfile.tempdir = short
    try:
        multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = usual


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds SIGINT and SIGTERM back until the block ends; does nothing outside the main thread, where no handler runs.

    Starting a process takes several steps. A handler that raises between them leaves a child that nobody knows, which then
    fails on queues that its parent has already removed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: held.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for late in held:
            signal.raise_signal(late)
