"""Asks an endpoint a batch of things: some at once, each booked before it leaves, again after a fault that may pass.

When one cannot be answered, no further request leaves, and those under way are waited for (their deadline bounds the
wait) and kept: they are paid for.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic

from readbench.api import Response
from readbench.base.errors import ReadbenchError
from readbench.base.hashing import content_digest
from readbench.models.counting import TokenCounter
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError, Fault, one_line
from readbench.teachers.endpoint.request import Endpoint, request_body
from readbench.teachers.endpoint.retry import Sleep, retrying
from readbench.teachers.endpoint.schema import Completion, parse_completion
from readbench.teachers.endpoint.servers.address import Address
from readbench.teachers.endpoint.servers.client import Answer as Received
from readbench.teachers.endpoint.servers.client import exchange, open_client
from readbench.teachers.endpoint.servers.fleet import Fleet
from readbench.teachers.endpoint.servers.probe import probe
from readbench.teachers.spend.account import Account
from readbench.teachers.spend.booking import Answer, BatchBooking, Key

if TYPE_CHECKING:
    import httpx2


async def ask(
    prompts: Sequence[str],
    *,
    endpoint: Endpoint,
    fleet: Fleet,
    account: Account,
    counter: TokenCounter,
    key: str,
    max_new_tokens: int,
    sleep: Sleep,
) -> list[Response]:
    """One response a prompt, in order; EndpointError, EndpointRefusalError, SpendLimitError or SurroundingError, in one line."""
    return await ask_all(
        prompts,
        lambda client: _Answering(
            endpoint, account, client, fleet=fleet, key=key, sleep=sleep, counter=counter, max_new_tokens=max_new_tokens
        ),
        account=account,
        fleet=fleet,
        key=key,
    )


async def ask_all(
    asked: Sequence[Key], make: "Callable[[httpx2.AsyncClient], Requests[Key, Answer]]", *, account: Account, fleet: Fleet, key: str
) -> list[Answer]:
    """One answer to each, in order; the first failure otherwise, once all that was under way has ended."""
    settings = account.settings
    async with open_client(
        near=fleet.near, key=key, connections=settings.concurrency, deadline_seconds=settings.deadline_seconds
    ) as client:
        batch = make(client)
        await batch.begin()
        answers = await asyncio.gather(*(batch.answer(one) for one in asked))
    if batch.failure is not None:
        raise batch.failure
    return [answer for answer in answers if answer is not None]


class Requests(Generic[Key, Answer]):
    """What the requests of one call share; a subclass says what a request is."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        client: "httpx2.AsyncClient",
        *,
        fleet: Fleet,
        keep: Callable[[Mapping[Key, Answer]], None],
        key: str,
        sleep: Sleep,
    ) -> None:
        self._endpoint = endpoint
        self._account = account
        self._client = client
        self._fleet = fleet
        self._key = key
        self._sleep = sleep
        self._booking = BatchBooking[Key, Answer](account, keep)
        self._gate = asyncio.Semaphore(account.settings.concurrency)
        self.failure: ReadbenchError | None = None  # the first: nothing leaves after it

    async def _attempt(self, asked: Key) -> Answer:
        """One request: reserved, sent, its answer checked, stored, settled; Fault where it brought none."""
        raise NotImplementedError

    async def begin(self) -> None:
        """Before the first request of a process: EndpointRefusalError where a server serves another model."""
        try:
            await self._fleet.begin(self._probe)
        except Fault as fault:
            raise self._final(fault, 1) from None

    async def _probe(self, address: Address) -> None:
        seconds = self._account.settings.deadline_seconds
        await probe(self._client, address, self._endpoint.model, deadline_seconds=seconds, key=self._key)

    async def _posted(self, target: Callable[[Endpoint], str], body: Mapping[str, Any]) -> Received:
        """What one of the servers answers."""
        async with self._fleet.lent(self._probe) as address:
            there = replace(self._endpoint, address=address)
            return await exchange(
                self._client, target(there), body, deadline_seconds=self._account.settings.deadline_seconds, key=self._key
            )

    async def answer(self, asked: Key) -> Answer | None:
        """The answer, stored; None where the batch has failed."""
        async with self._gate:
            try:
                return await self._attempts(asked)
            except ReadbenchError as error:
                self.failure = self.failure or error
                return None

    async def _attempts(self, asked: Key) -> Answer | None:
        settings = self._account.settings
        again = retrying(str(asked), attempts=settings.attempts, base_seconds=settings.backoff_seconds, sleep=self._sleep)
        try:
            return await again(self._unless_failed, asked)
        except Fault as fault:
            raise self._final(fault, again.statistics["attempt_number"]) from None

    async def _unless_failed(self, asked: Key) -> Answer | None:
        """An attempt; None where the batch has failed: then nothing is sent."""
        return None if self.failure is not None else await self._attempt(asked)

    def _final(self, fault: Fault, attempts: int) -> ReadbenchError:
        settings, address = self._account.settings, self._endpoint.address
        message = f"teacher {self._endpoint.model} at {address.host}: {fault.message}"
        if fault.refused:
            known = "is set" if self._key else "is not set"
            check = f"check --teacher, --teacher-url and the key (environment variable {settings.key_env} {known})"
            return EndpointRefusalError(message, hint=fault.hint or check)
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        resume = f"what was paid for is kept; resume with: readbench resume {self._account.run_dir}"
        return EndpointError(f"{message}{tried}", hint=fault.hint or resume)


class _Answering(Requests[str, Response]):
    """Prompts, and the responses to them."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        client: "httpx2.AsyncClient",
        *,
        fleet: Fleet,
        key: str,
        sleep: Sleep,
        counter: TokenCounter,
        max_new_tokens: int,
    ) -> None:
        super().__init__(
            endpoint, account, client, fleet=fleet, keep=lambda answers: account.keep(answers, max_new_tokens), key=key, sleep=sleep
        )
        self._counter = counter
        self._max_new_tokens = max_new_tokens
        self._system_tokens = counter.count(endpoint.chat.system)

    async def _attempt(self, asked: str) -> Response:
        counted = self._counter.count(asked)
        # No tokenizer makes more tokens of a text than it has bytes, apart from what its template adds.
        most = max(counted, len(asked.encode("utf-8", "surrogatepass")))
        cap = most + max(self._system_tokens, self._endpoint.added_bytes) + self._account.settings.template_tokens
        request = await self._booking.reserve(_digest(asked), prompt_tokens=cap, completion_tokens=self._max_new_tokens)
        try:
            completion = await self._exchange(asked)
            response = self._response(completion, prompt_cap=cap)
        except Fault as fault:
            await self._booking.lose(request, in_doubt=fault.in_doubt)
            raise
        prompt_tokens = max(completion.prompt_tokens, counted + self._system_tokens)
        await self._booking.settle(request, asked, response, prompt_tokens=prompt_tokens, completion_tokens=response.tokens)
        return response

    async def _exchange(self, prompt: str) -> Completion:
        endpoint = self._endpoint
        body = request_body(endpoint, prompt, max_new_tokens=self._max_new_tokens)
        answer = await self._posted(lambda there: there.address.target, body)
        return parse_completion(endpoint.api, answer.content, answer.content_type)

    def _response(self, completion: Completion, *, prompt_cap: int) -> Response:
        """The answer as the experiment sees it; Fault where the endpoint did not do what it was asked."""
        most = self._max_new_tokens
        if completion.model != self._endpoint.served_as:
            raise Fault(
                f"it answered with model {one_line(completion.model)!r}; if that is the right one: "
                "start a new run with --set params.teacher.openai.served_as=NAME"
            )
        if completion.completion_tokens > most:
            raise Fault(f"it reports {completion.completion_tokens:,} tokens for an answer of at most {most:,}")
        if completion.prompt_tokens > prompt_cap:
            raise Fault(
                f"it reports {completion.prompt_tokens:,} tokens for a prompt of at most {prompt_cap:,}; "
                "if its chat template is long, run again with --set endpoint.template_tokens=N"
            )
        reported = completion.completion_tokens
        if completion.finish_reason == "length" and 0 < reported < most:
            # vLLM does so where prompt and answer do not fit, with no word but the count
            raise Fault(
                f"it cut an answer off after {reported:,} of {most:,} tokens: its context is full, or its own limit lower",
                hint="start the server with a longer context (vLLM: --max-model-len) and resume, or begin a new run with shorter answers",
            )
        cut = self._counter.cut(completion.text, most)
        if cut is not None:
            return Response(text=cut, tokens=most, finished=False)
        finished = completion.finish_reason == "stop"
        counted = min(most, self._counter.count(completion.text) + finished)  # the end of sequence is a token
        return Response(text=completion.text, tokens=max(completion.completion_tokens, counted), finished=finished)


def _digest(prompt: str) -> bytes:
    return content_digest(prompt.encode("utf-8", "surrogatepass"))
