"""What ``readbench report`` does: reads a run, writes its page, says where it is and what is missing in it."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from readbench.base.errors import ConfigError, IncompleteRunError, SurroundingError
from readbench.base.files import write_bytes
from readbench.results.document.building import gather
from readbench.results.document.model import Results
from readbench.results.document.reading import load
from readbench.results.merging import merge
from readbench.views.console.text import write_line


def write_report(runs: Sequence[Path], out: Path | None) -> None:
    """Writes the page; IncompleteRunError (after writing it) where trials are missing, and without a page where all are."""
    if out is None and len(runs) > 1:
        raise ConfigError("several runs make one page", hint="say where to write it: -o report.html")
    results = merge([_results(run) for run in runs]).results
    folders = [run if run.is_dir() else run.parent for run in runs]
    path = folders[0] / "report.html" if out is None else out
    _check_writable(path)
    hint = (
        f"readbench resume {shlex.quote(str(folders[0]))}"
        if len(runs) == 1
        else "resume each run that is not complete: readbench resume RUN"
    )
    if not results.complete:
        raise IncompleteRunError(f"{', '.join(map(str, runs))}: there is no complete trial to report on", hint=hint)
    from readbench.views.report.page import build  # late: matplotlib takes a second, and a mistake should not

    content = build(results).encode()
    write_bytes(path, content)
    write_line(f"report: {path} ({_size(len(content))})", stream=sys.stdout)
    if results.unfinished:
        missing = f"{len(results.unfinished)} of {len(results.trials)} trials have no result: the report names them"
        raise IncompleteRunError(missing, hint=hint)


def _results(run: Path) -> Results:
    """The run's results; where it stopped before it wrote them, those of the trials that it completed."""
    if (run / "run.json").is_file() and not (run / "results.json").exists():
        return gather(run)
    return load(run)


def _check_writable(path: Path) -> None:
    """Before the work: the page takes seconds to make, and a mistyped path none to find."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", hint="give -o a file name")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent}", hint="make it, or give -o another path")
    if not os.access(path.parent, os.W_OK):
        raise SurroundingError(f"cannot write to {path.parent}", hint="give -o another path")


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} kB"
