"""An endpoint's address: which ones are taken. It is written into run.json, so it must hold no secret.

Plain http shows key and prompts to everybody on the way. It is taken where the way is short: this machine, a private network,
a name that means nothing outside of one (no dot, .local, .internal, .lan, .home.arpa).
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from readbench.base.errors import ConfigError

_PATHS = {"chat": "/chat/completions", "completions": "/completions"}
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go."""

    base: str  # without a slash at the end
    target: str  # base and the path of the API
    host: str  # for messages
    near: bool  # this machine or a private network: no proxy is asked


def parse_address(url: str, api: str, *, called: str = "the teacher's URL") -> Address:
    """ConfigError in one line for what is not taken."""
    hint = "for example --teacher-url http://127.0.0.1:8000/v1"
    if not url:
        raise ConfigError("teacher openai needs the address of its endpoint", hint=hint)
    if api not in _PATHS:
        raise ConfigError(f"params.teacher.openai.api is {api!r}", hint="it must be chat or completions")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{called} cannot be read", hint=hint) from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(
            f"{called} holds more than an address (a user, a password, a query)",
            hint="give the key in the environment variable that endpoint.key_env names",
        )
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"{called} is {url!r}, which is not an HTTP address", hint=hint)
    near = _is_near(host)
    if parts.scheme == "http" and not near:
        raise ConfigError(f"http://{host} would show key and prompts to everybody on the way", hint="use https, or a tunnel to localhost")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    base = f"{parts.scheme}://{authority}{parts.path.rstrip('/')}"
    return Address(base, base + _PATHS[api], authority, near)


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_link_local
