"""Whether this machine can run readbench: each check says what it found, and what to do where it is broken."""

import functools
import importlib
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from readbench.base.errors import ReadbenchError
from readbench.base.plugins import registry

DEPENDENCIES = ("torch", "transformers", "lm-eval", "safetensors", "tokenizers", "datasets", "numpy", "rich", "typer")
MODELS = ("lab/teacher", "lab/student")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    status: Literal["ok", "warning", "broken"]
    detail: str
    hint: str = ""


def examine() -> list[Check]:
    """All checks, ordered so that a fault in one explains those after it."""
    checks = [_versions(), _attempt("extension", _extension, "reinstall readbench: pip install --force-reinstall readbench")]
    checks += [_dependency(name) for name in DEPENDENCIES]
    checks += _plugins()
    checks.append(_attempt("device", _device, "reinstall torch for this machine"))
    checks += [
        _attempt(name, functools.partial(_model, name), "reinstall readbench, or name others with --teacher, --student") for name in MODELS
    ]
    checks.append(_attempt("writable", _writable, "go to a folder that can be written, or give --out"))
    checks.append(_offline())
    return checks


def _attempt(name: str, look: Callable[[], str], hint: str) -> Check:
    """Runs a check; if it raises, the error is its finding."""
    try:
        return Check(name=name, status="ok", detail=look())
    except ReadbenchError as error:
        return Check(name=name, status="broken", detail=error.message, hint=error.hint or hint)
    except Exception as error:  # a damaged installation raises anything
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Check(name=name, status="broken", detail=reason, hint=hint)


def _versions() -> Check:
    return Check(name="readbench", status="ok", detail=f"{version('readbench')}, Python {platform.python_version()}, {platform.platform()}")


def _extension() -> str:
    core = importlib.import_module("readbench._core")
    return str(Path(core.__file__ or "built in").name)


def _dependency(name: str) -> Check:
    try:
        return Check(name=name, status="ok", detail=version(name))
    except PackageNotFoundError:
        return Check(name=name, status="broken", detail="not installed", hint=f"pip install {name}")


def _plugins() -> Iterator[Check]:
    try:
        found = registry()
    except ReadbenchError as error:
        yield Check(name="plug-ins", status="broken", detail=error.message, hint=error.hint)
        return
    for broken in found.broken:
        yield Check(name="plug-ins", status="warning", detail=str(broken), hint="its plug-ins are missing, the others work")
    counts = ", ".join(f"{len(found.plugins(kind))} {kind}s" for kind in ("allocator", "suite", "objective", "teacher"))
    yield Check(name="plug-ins", status="ok", detail=counts)


def _device() -> str:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = f"{cores} cores, torch would use {torch.get_num_threads()} threads (a trial uses 1)"
    if not torch.cuda.is_available():
        return f"CPU: {cpu}; no CUDA device"
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return f"CUDA: {names}; CPU: {cpu}"


def _model(reference: str) -> str:
    from readbench.models.folder import check_model, load_causal_lm, load_tokenizer, resolve_model

    folder = resolve_model(reference)
    check_model(folder)
    model = load_causal_lm(folder, "cpu")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return f"{parameters:,} parameters, {len(load_tokenizer(folder)):,} tokens in the vocabulary"


def _writable() -> str:
    """The folder below which ``runs/`` is made."""
    with tempfile.TemporaryDirectory(prefix=".readbench-", dir=Path.cwd()):
        return str(Path.cwd())


def _offline() -> Check:
    if os.environ.get("HF_HUB_OFFLINE", "") in ("", "0"):
        return Check(name="hub", status="ok", detail="a hub id is downloaded when one is named; the lab pair needs no network")
    return Check(name="hub", status="ok", detail="offline (HF_HUB_OFFLINE): only model folders and what is cached")
