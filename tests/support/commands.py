"""The command line as a user calls it, without a new process: what a process costs are seconds of imports.

Signals, the pool and what a process leaves behind are tested in processes of their own.
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from readbench.base.plugins import registry
from readbench.views.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None, site: Path | None = None) -> Done:
    """Runs ``readbench ARGUMENTS`` in that folder; `environment` adds variables, `site` holds installed plug-ins."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(environment or {}))
        if folder is not None:
            stack.enter_context(contextlib.chdir(folder))
        if site is not None:
            stack.enter_context(_installed(site))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        code = main([str(argument) for argument in arguments])
    return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _installed(site: Path) -> Iterator[None]:
    """The registry with the plug-ins of that folder too."""
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    registry.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(site))
        registry.cache_clear()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{site}{os.sep}"):
                del sys.modules[name]
