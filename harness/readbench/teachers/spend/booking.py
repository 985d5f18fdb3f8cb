"""Books the requests of a batch in groups: a commit takes tens of milliseconds, whether it holds one line or fifty.

What is to be booked waits a moment for what else is. Then answers are stored, first, and one transaction of the ledger holds
all reservations, settlements and losses. A line is acknowledged when its group is on disk.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from readbench.base.errors import ReadbenchError
from readbench.teachers.spend.account import Account

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

_GATHER_SECONDS = 0.002


class BatchBooking(Generic[Key, Answer]):
    """One batch's way to the ledger and the store of answers: `keep` returns when they are on disk."""

    def __init__(self, account: Account, keep: Callable[[Mapping[Key, Answer]], None]) -> None:
        self._account = account
        self._keep = keep
        self._answers: dict[Key, Answer] = {}
        self._lines: list[tuple[Callable[[], int], asyncio.Future[int]]] = []

    async def reserve(self, prompt: bytes, *, prompt_tokens: int, completion_tokens: int) -> int:
        """See `readbench.teachers.spend.ledger.SpendLedger.reserve`."""
        ledger = self._account.ledger
        return await self._line(lambda: ledger.reserve(prompt, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens))

    async def settle(self, request: int, asked: Key, answer: Answer, *, prompt_tokens: int, completion_tokens: int) -> None:
        """Stores the answer, then charges what it came to."""
        ledger = self._account.ledger
        self._answers[asked] = answer
        await self._line(lambda: ledger.settle(request, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens))

    async def lose(self, request: int, *, in_doubt: bool) -> None:
        """No answer came: charged at its cap where it may have been worked on, else nothing."""
        ledger = self._account.ledger
        await self._line(lambda: ledger.doubt(request) if in_doubt else ledger.refuse(request))

    async def _line(self, book: Callable[[], int]) -> int:
        loop = asyncio.get_running_loop()
        written: asyncio.Future[int] = loop.create_future()
        if not self._lines:
            loop.call_later(_GATHER_SECONDS, self._write)
        self._lines.append((book, written))
        return await written

    def _write(self) -> None:
        answers, self._answers = self._answers, {}
        lines, self._lines = self._lines, []
        outcomes: list[int | Exception] = []
        try:
            if answers:
                self._keep(answers)
            with self._account.ledger.together():
                for book, _ in lines:
                    try:
                        outcomes.append(book())
                    except ReadbenchError as error:  # a limit that is reached stops its own request
                        outcomes.append(error)
        except Exception as error:  # nothing was written
            outcomes = [error] * len(lines)
        for (_, written), outcome in zip(lines, outcomes, strict=True):
            if isinstance(outcome, Exception):
                written.set_exception(outcome)
            else:
                written.set_result(outcome)
