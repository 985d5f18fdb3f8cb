"""One exchange over HTTP: a whole answer before a deadline and below a size, or a `Fault` that says whether it may cost.

The deadline is total: it covers connecting, sending and every byte of the answer, so that an endpoint that drips one byte a
second does not hold a trial. No redirect is followed (the key and the prompt would go where nobody said), nothing is
decompressed (a megabyte may be a gigabyte).
"""

import asyncio
import functools
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from readbench.teachers.endpoint.faults import Fault, one_line
from readbench.teachers.endpoint.fields import OMITTABLE

if TYPE_CHECKING:
    import httpx2

MAX_BYTES = 4 << 20  # of an answer: some hundred times what a long one takes
_MAX_ERROR_BYTES = 1 << 16
CONNECT_SECONDS = 15.0
_REFUSED = frozenset({400, 401, 403, 404, 405, 413, 415, 422})  # asking again would bring the same
_UNREAD = frozenset({400, 422})  # a field of the request was not accepted
_ROOM = "start the server with a longer context (vLLM: --max-model-len), or use shorter prompts or a smaller max_new_tokens"
_REMEDIES = {  # what a refusal says, and what helps; the first that is found
    "context length": _ROOM,
    "max_tokens must be at least": _ROOM,  # the prompt alone fills the context
    "prompt logprobs of": "start the server with a higher limit (vLLM: --max-logprobs), or ask for fewer: params.objective.top-k.k",
    **{name: f"leave the field out: --set params.teacher.openai.omit={name}" for name in OMITTABLE},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that came whole, with status 200."""

    content: bytes
    content_type: str


def open_client(*, near: bool, key: str, connections: int, deadline_seconds: float) -> "httpx2.AsyncClient":
    """A client for the servers of one model; proxies of the environment are used where one of them is far."""
    import httpx2

    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "readbench"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(None, connect=min(CONNECT_SECONDS, deadline_seconds)),
        limits=httpx2.Limits(max_connections=connections),
        follow_redirects=False,
        trust_env=not near,
        verify=_tls(),
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """The system's certificates, or those that SSL_CERT_FILE names; a tenth of a second to read."""
    import httpx2

    return httpx2.create_ssl_context()


async def exchange(
    client: "httpx2.AsyncClient", target: str, body: Mapping[str, Any] | None, *, deadline_seconds: float, key: str = ""
) -> Answer:
    """The answer to one request, a GET where there is no body; Fault if none comes."""
    import httpx2

    method, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
    # a GET may fail, and a server then closes its connection: no request that costs is sent on it
    headers = {"connection": "close"} if body is None else {"content-type": "application/json"}
    try:
        async with asyncio.timeout(deadline_seconds), client.stream(method, target, content=content, headers=headers) as response:
            if response.status_code != 200:
                raise await _failure(response, key)
            return Answer(await _read(response, MAX_BYTES), response.headers.get("content-type", ""))
    except TimeoutError:
        raise Fault(f"no whole answer within {deadline_seconds:g} seconds", retry=True) from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        reason = one_line(str(error)) or "no answer in time"
        raise Fault(f"it cannot be reached ({reason})", in_doubt=False, retry=True) from None
    except httpx2.TransportError as error:
        reason = one_line(str(error)) or type(error).__name__
        raise Fault(f"the connection broke before the answer was whole ({reason})", retry=True) from None


async def _read(response: "httpx2.Response", most: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Fault(f"its answer is encoded ({one_line(encoding)}), which was not asked for")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > most:
            raise Fault(f"its answer is larger than {most:,} bytes")
    return bytes(content)


async def _failure(response: "httpx2.Response", key: str) -> Fault:
    """The fault behind a status other than 200. Redirects and refusals come before any work, 408 and 5xx perhaps after it."""
    import httpx2

    status = response.status_code
    if 300 <= status < 400:
        return Fault(f"it redirects (HTTP {status}), which is not followed", in_doubt=False, refused=True)
    try:
        said = _said(await _read(response, _MAX_ERROR_BYTES), key)
    except (Fault, httpx2.TransportError):
        said = ""
    message = f"HTTP {status}{f': {said}' if said else ''}"
    if status in _REFUSED:
        hints = (hint for words, hint in _REMEDIES.items() if status in _UNREAD and words in said.lower())
        return Fault(message, in_doubt=False, refused=True, hint=next(hints, ""))
    if status == 429:
        return Fault(message, in_doubt=False, retry=True, wait_seconds=retry_after(response.headers.get("retry-after", ""), time.time()))
    if status >= 500 or status == 408:
        wait_seconds = retry_after(response.headers.get("retry-after", ""), time.time())
        return Fault(message, retry=True, wait_seconds=wait_seconds, status=status)
    return Fault(message)


def _said(content: bytes, key: str) -> str:
    """The message in an error's body, where it has the API's form."""
    try:
        error = json.loads(content)["error"]
        message = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return one_line(str(message), secret=key)


def retry_after(text: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; None where it says nothing that can be read."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
