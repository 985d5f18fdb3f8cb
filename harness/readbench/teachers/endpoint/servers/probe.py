"""Whether a server is well, and serves the model that is asked for: ``GET BASE/models``, which costs nothing.

A server that cannot be reached, breaks, asks for time or is away (503) is ill. One that says no (404, 405, a key that may not list models)
or what cannot be read, or that fails at listing alone (500: `transformers serve` without a cache), is taken as well: requests tell. Only
the lists of vLLM and SGLang are held against the model's name: they are whole, and SGLang answers to any name. Those of hosts lack aliases
and deployments, that of `transformers serve` lacks folders.
"""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from readbench.teachers.endpoint.faults import Fault, one_line
from readbench.teachers.endpoint.servers.address import Address
from readbench.teachers.endpoint.servers.client import CONNECT_SECONDS, exchange

if TYPE_CHECKING:
    import httpx2

_WHOLE = ("vllm", "sglang")  # whose list names all that they serve (owned_by)


async def probe(client: "httpx2.AsyncClient", address: Address, model: str, *, deadline_seconds: float, key: str) -> None:
    """Fault where the server is ill (another attempt may do better) or serves other models only (it will not)."""
    try:
        deadline_seconds = min(CONNECT_SECONDS, deadline_seconds)
        answer = await exchange(client, f"{address.base}/models", None, deadline_seconds=deadline_seconds, key=key)
    except Fault as fault:
        if not fault.retry or fault.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        fault.in_doubt = False  # nothing was asked that costs
        raise
    served = _served(answer.content)
    if served and model not in served:
        raise Fault(
            f"it serves {one_line(', '.join(served), secret=key)}, not {model}",
            in_doubt=False,
            refused=True,
            hint="name what is served (--teacher openai:MODEL), or start the server with another --served-model-name",
        )


def _served(content: bytes) -> list[str]:
    """The names that a server answers to, where its list is whole; none where that cannot be told."""
    try:
        listed = json.loads(content)["data"]
        return [str(each["id"]) for each in listed] if all(each["owned_by"] in _WHOLE for each in listed) else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
