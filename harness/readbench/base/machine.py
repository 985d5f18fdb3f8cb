"""Where a run was made: versions, hardware and git revision (recorded, never acted on), and the hash of the code that made it."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from readbench.base.hashing import named_hash

# Packages and modules that only read results. Everything else is part of a run's identity.
READERS = (
    *("testing", "views", "runs/studies/simulation"),
    *(f"results/{name}" for name in ("comparison", "leaderboard", "merging", "stats", "summary", "tables", "transfer")),
    *(f"trials/environments/{name}" for name in ("fitted", "fitting", "simulated")),
)
MEASURED = "measured"  # the key of a fingerprint's hash
# Two fingerprints that agree on these keys mean the same bits. The other keys are labels for people.
DETERMINES = (MEASURED, "torch", "device", "dtype", "optimizer", "ranks")
PACKAGES = ("readbench", "torch", "transformers", "tokenizers", "lm-eval", "numpy", "safetensors")


def describe() -> dict[str, Any]:
    """JSON values; None for anything missing."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": cpu_labels()["processor"],
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


def cpu_labels() -> dict[str, str]:
    """Vendor, family and model of the CPU as the kernel names them; "" if it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    family = "/".join(found.get(key, "") for key in ("cpu family", "model", "stepping")).strip("/")
    return {"vendor": found.get("vendor_id", ""), "family": family, "processor": found.get("model name", platform.processor())}


def same_bits(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two fingerprints measured the same; a fingerprint without a measurement matches nothing."""
    return MEASURED in first and all(first.get(key) == second.get(key) for key in DETERMINES)


def code_hash() -> str:
    """The hash of readbench's modules that compute results."""
    root = Path(__file__).parents[1]
    names = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    return named_hash((name.as_posix(), root / name) for name in names if not is_reader(name.with_suffix("").as_posix()))


def is_reader(module: str) -> bool:
    """Whether a module of readbench (``views/doctor``) only reads results."""
    return any(module == reader or module.startswith(f"{reader}/") for reader in READERS)


def _command() -> list[str] | None:
    """The command line, if readbench was called from one."""
    return ["readbench", *sys.argv[1:]] if Path(sys.argv[0]).stem in ("readbench", "__main__") else None


def _git_revision() -> str | None:
    """The git revision of the working directory: the user's experiment, not readbench."""
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
