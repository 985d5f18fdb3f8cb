"""The servers of one model: each request goes to the one with the fewest under way.

Before the first request of a process every server is probed (`readbench.teachers.endpoint.servers.probe`). One that cannot be reached,
breaks or asks for time (429, Retry-After) rests, the longer the more often it did so in a row. After its rest it is probed again, then one
request tries it, and the next one waits for the outcome. Where all rest, requests wait for the one that is back first: whoever asks is
slowed to what the servers take. One server alone never rests: its requests are asked again by their own back-off.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from readbench.teachers.endpoint.faults import Fault
from readbench.teachers.endpoint.retry import LONGEST_SECONDS, Sleep
from readbench.teachers.endpoint.servers.address import Address

Clock = Callable[[], float]
Probe = Callable[[Address], Awaitable[None]]


@dataclass(slots=True)
class _Server:
    address: Address
    under_way: int = 0
    faults: int = 0  # in a row
    awake_at: float = 0.0  # by the clock

    def takes(self, now: float) -> bool:
        """Whether a request may go there: one at a time, until it has shown that it is back."""
        return now >= self.awake_at and (self.faults == 0 or self.under_way == 0)


class Fleet:
    """Shared by all batches of a process."""

    def __init__(self, addresses: Sequence[Address], *, rest_seconds: float, sleep: Sleep, clock: Clock = time.monotonic) -> None:
        """`rest_seconds` after the first fault; doubles with each in a row."""
        self._servers = [_Server(address) for address in dict.fromkeys(addresses)]
        self._rest_seconds = rest_seconds
        self._sleep, self._clock = sleep, clock
        self._probed = False

    @property
    def near(self) -> bool:
        """Whether all are on this machine or a private network."""
        return all(server.address.near for server in self._servers)

    async def begin(self, probe: Probe) -> None:
        """Probes every server, once: those that are ill rest; the `Fault` of one that will not do, which names it."""
        if self._probed:
            return
        found = await asyncio.gather(*(probe(server.address) for server in self._servers), return_exceptions=True)
        for server, fault in zip(self._servers, found, strict=True):
            if isinstance(fault, BaseException) and not isinstance(fault, Fault):
                raise fault
            if fault is not None and len(self._servers) > 1:
                self._rest(server, fault)
            if fault is not None and fault.refused:
                raise fault
        self._probed = True

    @asynccontextmanager
    async def lent(self, probe: Probe) -> AsyncIterator[Address]:
        """A server for one request; a `Fault` of the block or of the probe that may pass lets it rest, and names it."""
        server = await self._next()
        server.under_way += 1
        try:
            if server.faults:
                await probe(server.address)
            yield server.address
            server.faults = 0
        except Fault as fault:
            if len(self._servers) > 1:
                self._rest(server, fault)
            raise
        finally:
            server.under_way -= 1

    async def _next(self) -> _Server:
        if len(self._servers) == 1:
            return self._servers[0]
        while True:
            now = self._clock()
            ready = [server for server in self._servers if server.takes(now)]
            if ready:
                return min(ready, key=lambda server: server.under_way)
            sleeping = [server.awake_at - now for server in self._servers if server.awake_at > now]
            await self._sleep(min(sleeping, default=0.05))  # else each has its health check under way

    def _rest(self, server: _Server, fault: Fault) -> None:
        fault.message = f"{server.address.host}: {fault.message}"
        if not fault.retry:
            return
        server.faults += 1
        wait = min(self._rest_seconds * 2 ** (server.faults - 1), LONGEST_SECONDS)
        server.awake_at = self._clock() + max(wait, min(fault.wait_seconds or 0.0, LONGEST_SECONDS))
        if any(other.takes(self._clock()) for other in self._servers):
            fault.wait_seconds = None  # another server has time now
