"""Which teacher teaches which capability: ``MODEL``, or ``MODEL,math=MODEL,code=PLUGIN:MODEL``, the first for all others."""

import re
from collections.abc import Callable, Sequence

from readbench.base.errors import ConfigError, near_match

DEFAULT = "lab/teacher"
_NAMED = re.compile(r"([a-z0-9][a-z0-9_-]*)=(.+)")


def parts_of(reference: str) -> dict[str, str]:
    """The references by capability; that of all others under an empty name. ConfigError where a name stands twice."""
    found: dict[str, str] = {}
    parts = [part.strip() for part in reference.split(",")]
    named = [_NAMED.fullmatch(part) for part in parts]
    if not any(named):
        return {"": reference}
    for part, match in zip(parts, named, strict=True):
        name, model = match.groups() if match else ("", part)
        if name in found or not model:
            what = f"of {name}" if name else "of all other capabilities"
            raise ConfigError(f"teacher: {reference!r} names {'several' if model else 'no'} teachers {what}", hint="give each one teacher")
        found[name] = model
    return {"": found.pop("", DEFAULT), **dict(sorted(found.items()))}


def renamed(reference: str, change: Callable[[str], str]) -> str:
    """The same with each of its references changed; whoever writes them in another order gets the same text."""
    default, *others = ((name, change(model)) for name, model in parts_of(reference).items())
    return ",".join([default[1], *(f"{name}={model}" for name, model in others)])


def serving(reference: str, capabilities: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct references, and which of them teaches each capability; ConfigError for a name that is no capability."""
    parts = parts_of(reference)
    for name in parts:
        if name and name not in capabilities:
            raise ConfigError(f"teacher: the suite has no capability {name!r}", hint=near_match(name, capabilities))
    by_capability = [parts.get(name, parts[""]) for name in capabilities]
    distinct = list(dict.fromkeys(by_capability))
    return distinct, [distinct.index(each) for each in by_capability]
