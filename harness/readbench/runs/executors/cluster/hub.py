"""What all tasks of a run share: an actor on the driver's node, with the run directory's teacher answers and spend ledger.

A task reaches it over the network where the workers of a pool open the files. Answers are stored once, whoever asked first, and one ledger
keeps the spend limit for the whole cluster.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from readbench.api import Response, Scored, Vector
from readbench.base.errors import ReadbenchError
from readbench.teachers.responses import ResponseCache
from readbench.teachers.spend.ledger import FILE, SpendLedger, Spent
from readbench.teachers.spend.prices import Limit
from readbench.trials.events import Event

_ID_BITS = 62  # of a request: SQLite's ids have 63


class Hub:
    """The actor; one call at a time. Its files survive it, so that it may be started again: the call that it was at comes twice then."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._responses = ResponseCache(run_dir / "responses.sqlite")
        self._ledgers: dict[Limit, SpendLedger] = {}
        self._events: list[Event] = []
        self._stopped = False

    def tell(self, event: Event) -> None:
        """Keeps an event for the driver."""
        self._events.append(event)

    def events(self) -> list[Event]:
        """Those since the last call."""
        found, self._events = self._events, []
        return found

    def stop(self) -> None:
        """Asks every trial to stop after its interval."""
        self._stopped = True

    def stopped(self) -> bool:
        """Whether they are asked."""
        return self._stopped

    def responses(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls the store of answers."""
        return caught(lambda: getattr(self._responses, method)(*arguments, **named))

    def ledger(self, limit: Limit, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls the spend ledger."""
        if limit not in self._ledgers:
            self._ledgers[limit] = SpendLedger(self._run_dir / FILE, limit=limit)
        return caught(lambda: getattr(self._ledgers[limit], method)(*arguments, **named))


class Caught:
    """An error of ours as a value: raised in another process, Ray would wrap it in one of its own."""

    def __init__(self, error: ReadbenchError) -> None:
        self.error = error


def caught(work: Callable[[], Any]) -> Any:
    """What the work returns, or its error as a value."""
    try:
        return work()
    except ReadbenchError as error:
        return Caught(error)


def released(value: Any) -> Any:
    """Raises the error that a value is."""
    if isinstance(value, Caught):
        raise value.error
    return value


Call = Callable[..., Any]  # of the actor's method, until its answer is here


class RemoteResponses(ResponseCache):
    """The hub's store of answers, as a task sees it."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def get(self, teacher: str, prompts: Sequence[str], *, max_new_tokens: int) -> dict[str, Response]:
        """See `ResponseCache`."""
        found: dict[str, Response] = released(self._call("get", teacher, list(prompts), max_new_tokens=max_new_tokens))
        return found

    def put(self, teacher: str, responses: Mapping[str, Response], *, max_new_tokens: int) -> dict[str, Response]:
        """See `ResponseCache`."""
        found: dict[str, Response] = released(self._call("put", teacher, dict(responses), max_new_tokens=max_new_tokens))
        return found

    def get_scores(self, teacher: str, sequences: Sequence[Scored], k: int = 0) -> dict[Scored, Vector]:
        """See `ResponseCache`."""
        found: dict[Scored, Vector] = released(self._call("get_scores", teacher, list(sequences), k))
        return found

    def put_scores(self, teacher: str, scores: Mapping[Scored, Vector], k: int = 0) -> None:
        """See `ResponseCache`."""
        released(self._call("put_scores", teacher, dict(scores), k))

    def close(self) -> None:
        """The hub keeps it open."""


class RemoteLedger(SpendLedger):
    """The hub's spend ledger, as a task sees it: each booking is on disk when its call returns."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @contextmanager
    def together(self) -> Iterator[None]:
        """Bookings stay one transaction each."""
        yield

    def reserve(self, prompt: bytes, *, prompt_tokens: int, completion_tokens: int, request: int | None = None) -> int:
        """See `SpendLedger`; with an id of its own, since Ray repeats the call that a hub was at when its process died."""
        named = secrets.randbits(_ID_BITS) if request is None else request
        call = self._call("reserve", prompt, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, request=named)
        return int(released(call))

    def settle(self, request: int, *, prompt_tokens: int, completion_tokens: int) -> int:
        """See `SpendLedger`."""
        return int(released(self._call("settle", request, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)))

    def doubt(self, request: int) -> int:
        """See `SpendLedger`."""
        return int(released(self._call("doubt", request)))

    def refuse(self, request: int) -> int:
        """See `SpendLedger`."""
        return int(released(self._call("refuse", request)))

    def spent(self) -> Spent:
        """See `SpendLedger`."""
        found: Spent = released(self._call("spent"))
        return found

    def close(self) -> None:
        """The hub keeps it open."""
