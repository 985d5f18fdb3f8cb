"""How an endpoint is asked and what may be spent on it: settings that never change a result. Light: the config imports it."""

import os
import re
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT
from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.servers.address import parse_address

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MONEY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Z]{3})")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EndpointConfig:
    """Settings of every teacher that is asked over HTTP."""

    key_env: str = "TEACHER_API_KEY"  # the environment variable that holds the key; where it is not set no key is sent
    spend_limit: Annotated[int, Ge(0)] | str | None = None  # tokens, or money ("5 USD"; needs prices); None: no limit
    prices: str = ""  # a YAML file {model: {prompt, completion, currency}}, per million tokens
    template_tokens: Annotated[int, Ge(0)] = 256  # that the endpoint may add to a prompt (its chat template): part of the cap
    concurrency: Annotated[int, Ge(1), Le(256)] = 8  # requests at once, of the whole run (at least one a worker)
    deadline_seconds: Annotated[float, Gt(0), Le(3600)] = 120.0  # of one request, from the connection to the last byte
    replicas: tuple[str, ...] = ()  # addresses of more servers of the same model, for the same key: requests are shared out among all
    attempts: Annotated[int, Ge(1), Le(20)] = 6  # of one prompt; each that may have been worked on is paid for
    backoff_seconds: Annotated[float, Gt(0), Le(600)] = 1.0  # before the second attempt; doubles with each

    def __post_init__(self) -> None:
        if not _VARIABLE.fullmatch(self.key_env):
            # Its text is not shown: it may be a key. (ConfigError passes through pydantic, which would show it.)
            raise ConfigError("endpoint.key_env must be the name of an environment variable", hint="put the key into that variable")
        if self.key_env.startswith("READBENCH_"):
            raise ConfigError(
                "endpoint.key_env begins with READBENCH_, as settings do, which are written down", hint="name another variable"
            )
        for url in self.replicas:
            parse_address(url, "chat")
        if isinstance(self.spend_limit, str):
            parse_money(self.spend_limit)


def parse_money(text: str) -> tuple[str, str]:
    """``"5 USD"`` as ("5", "USD"); ConfigError on anything else."""
    match = _MONEY.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"the spend limit is {text!r}", hint="give tokens (200000) or money (5 USD)")
    return match[1], match[2]


def parse_spend_limit(text: str) -> int | str:
    """A flag's text: whole numbers are tokens; ConfigError where it is neither tokens nor money."""
    if text.strip().isdecimal() and text.isascii() and len(text) < 20:
        return int(text)
    parse_money(text)
    return text


def read_key(variable: str) -> str:
    """The key, "" where the variable is not set; ConfigError, which does not show it, where it is no HTTP header."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"environment variable {variable} holds no key: a character cannot be sent", hint="copy the key again")
    return key
