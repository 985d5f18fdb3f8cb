"""Child processes: they import nothing from the current folder, and their sockets fit wherever TMPDIR points."""

import multiprocessing.util
import os
import tempfile
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Literal, overload

from readbench.base.errors import SurroundingError

# A socket's path has 104 bytes on some systems, its end included; multiprocessing adds "/pymp-xxxxxxxx/listener-xxxxxxxx".
_MAX_FOLDER_BYTES = 104 - 1 - len("/pymp-xxxxxxxx/listener-xxxxxxxx")
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a folder of a random name is made in one, for this user alone


@overload
def context(method: Literal["forkserver"]) -> ForkServerContext: ...
@overload
def context(method: Literal["spawn"]) -> SpawnContext: ...
def context(method: Literal["forkserver", "spawn"]) -> ForkServerContext | SpawnContext:
    """How processes are started; SurroundingError where no folder for their sockets can be written.

    multiprocessing starts its helpers with ``python -c``, which looks for modules in the current folder first: a user's
    ``random.py`` would be executed. PYTHONSAFEPATH turns that off, in every process that this one starts.
    """
    if not os.environ.get("PYTHONSAFEPATH"):
        os.environ["PYTHONSAFEPATH"] = "1"
    _keep_socket_paths_short()
    return ForkServerContext() if method == "forkserver" else SpawnContext()


def _keep_socket_paths_short() -> None:
    """Has multiprocessing make its folder, which it does once, in a short place where TMPDIR is long."""
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
