"""Converts nested settings to dotted keys and back: ``{"training": {"clip_norm": 1}}`` is ``training.clip_norm = 1``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from readbench.base.errors import ConfigError


def flatten(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key, in order. An empty mapping yields nothing."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nest(values: Iterable[tuple[Sequence[str], Any]]) -> dict[str, Any]:
    """The nested mapping of values by path; ConfigError if a key is both a value and a group."""
    nested: dict[str, Any] = {}
    for path, value in values:
        *parents, last = path
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"setting {'.'.join(path)!r}: {parent!r} is a value, not a group of settings")
        place[last] = value
    return nested
