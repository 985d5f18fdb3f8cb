"""Where a run was made: versions, hardware, git revision, written down and never acted upon; and the hash of the code that made it."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from readbench.base.hashing import named_hash

# Modules that read results and take no part in making them: everything else is part of a run's identity.
READERS = frozenset({"results", "testing", "views"})
PACKAGES = ("readbench", "torch", "transformers", "tokenizers", "lm-eval", "numpy", "safetensors")


def describe() -> dict[str, Any]:
    """JSON values; None where a thing is not there."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git": _git_revision(),
        "command": _command(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def code_hash() -> str:
    """Of readbench's own modules that compute results."""
    root = Path(__file__).parents[1]
    names = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    return named_hash((name.as_posix(), root / name) for name in names if name.with_suffix("").parts[0] not in READERS)


def _command() -> list[str] | None:
    """The command line, where readbench was called from one."""
    return ["readbench", *sys.argv[1:]] if Path(sys.argv[0]).stem in ("readbench", "__main__") else None


def _git_revision() -> str | None:
    """Of the working directory: the user's experiment, not ours."""
    try:
        answer = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
