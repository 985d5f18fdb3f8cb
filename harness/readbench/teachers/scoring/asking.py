"""Asks an endpoint for the scores of a batch of sequences: booked, stored and settled as answers are."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from readbench.api import Scored, Vector
from readbench.base.hashing import content_digest
from readbench.teachers.endpoint.asking import Requests, ask_all
from readbench.teachers.endpoint.faults import Fault
from readbench.teachers.endpoint.request import Endpoint
from readbench.teachers.endpoint.retry import Sleep
from readbench.teachers.endpoint.servers.fleet import Fleet
from readbench.teachers.scoring.wire import body_of, parse_scores, target_of
from readbench.teachers.spend.account import Account

if TYPE_CHECKING:
    import httpx2

Keep = Callable[[Mapping[Scored, Vector]], None]  # they are on disk when it returns
_GENERATED = 1  # no server scores without generating a token


async def score(
    sequences: Sequence[Scored],
    *,
    endpoint: Endpoint,
    fleet: Fleet,
    server: str,
    k: int,
    account: Account,
    keep: Keep,
    key: str,
    sleep: Sleep,
) -> list[Vector]:
    """The log-probabilities of each sequence's tokens after its prompt, or with k those of the most probable ones.

    Raises as `readbench.teachers.endpoint.asking.ask` does.
    """
    return await ask_all(
        sequences,
        lambda client: _Scoring(endpoint, account, client, fleet=fleet, keep=keep, key=key, sleep=sleep, server=server, k=k),
        account=account,
        fleet=fleet,
        key=key,
    )


class _Scoring(Requests[Scored, Vector]):
    """Sequences, and the log-probabilities of their tokens."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        client: "httpx2.AsyncClient",
        *,
        fleet: Fleet,
        keep: Keep,
        key: str,
        sleep: Sleep,
        server: str,
        k: int,
    ) -> None:
        super().__init__(endpoint, account, client, fleet=fleet, keep=keep, key=key, sleep=sleep)
        self._server, self._k = server, k

    async def _attempt(self, asked: Scored) -> Vector:
        tokens, _ = asked
        digest = content_digest(np.array(tokens, dtype=np.int64).tobytes())
        request = await self._booking.reserve(digest, prompt_tokens=len(tokens), completion_tokens=_GENERATED)
        try:
            found = await self._exchange(asked)
        except Fault as fault:
            await self._booking.lose(request, in_doubt=fault.in_doubt)
            raise
        await self._booking.settle(request, asked, found, prompt_tokens=len(tokens), completion_tokens=_GENERATED)
        return found

    async def _exchange(self, asked: Scored) -> Vector:
        tokens, _ = asked
        body = body_of(self._endpoint, self._server, tokens, self._k)
        answer = await self._posted(lambda there: target_of(there, self._server), body)
        values, reported = parse_scores(self._server, answer.content, asked, self._k)
        if reported > len(tokens):
            raise Fault(f"it reports {reported:,} tokens for a prompt of {len(tokens):,}")
        return values
