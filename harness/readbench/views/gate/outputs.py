"""Where a check writes: paths are checked before the work, so that no verdict is lost to a misspelt folder."""

import os
from collections.abc import Mapping
from pathlib import Path

from readbench.base.errors import ConfigError


def checked_outputs(paths: Mapping[str, Path | None]) -> dict[str, Path]:
    """By flag, the files that will be written, links followed; ConfigError where one cannot be, or two are the same."""
    outputs: dict[str, Path] = {}
    for flag, path in paths.items():
        if path is not None:
            target = path.resolve()
            if target.exists() and not target.is_file():
                raise ConfigError(f"{flag} {path} is not a file", hint="give the path of a file")
            if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
                raise ConfigError(f"{flag} {path}: there is no writable folder {target.parent}", hint="make it first")
            twin = next((other for other, taken in outputs.items() if taken == target), None)
            if twin is not None:
                raise ConfigError(f"{twin} and {flag} name the same file {path}", hint="give each its own")
            outputs[flag] = target
    return outputs
