"""Asks an endpoint a batch of prompts: some at once, each booked before it leaves, again after a fault that may pass.

When one prompt cannot be answered, no further request leaves, and those under way are waited for (their deadline bounds the
wait) and kept: they are paid for.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from readbench.api import Response
from readbench.base.errors import ReadbenchError
from readbench.base.hashing import content_digest
from readbench.models.counting import TokenCounter
from readbench.teachers.endpoint.client import exchange, open_client
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError, Fault, one_line
from readbench.teachers.endpoint.request import Endpoint, request_body
from readbench.teachers.endpoint.retry import Sleep, retrying
from readbench.teachers.endpoint.schema import Completion, parse_completion
from readbench.teachers.spend.account import Account
from readbench.teachers.spend.booking import BatchBooking

if TYPE_CHECKING:
    import httpx2


async def ask(
    prompts: Sequence[str], *, endpoint: Endpoint, account: Account, counter: TokenCounter, key: str, max_new_tokens: int, sleep: Sleep
) -> list[Response]:
    """One response a prompt, in order; EndpointError, EndpointRefusalError, SpendLimitError or SurroundingError, in one line."""
    settings = account.settings
    async with open_client(
        endpoint.address, key=key, connections=settings.concurrency, deadline_seconds=settings.deadline_seconds
    ) as client:
        batch = _Batch(endpoint, account, counter, key, max_new_tokens, sleep, client)
        answers = await asyncio.gather(*(batch.answer(prompt) for prompt in prompts))
    if batch.failure is not None:
        raise batch.failure
    return [answer for answer in answers if answer is not None]


class _Batch:
    """What the prompts of one call share."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        counter: TokenCounter,
        key: str,
        max_new_tokens: int,
        sleep: Sleep,
        client: "httpx2.AsyncClient",
    ) -> None:
        self._endpoint = endpoint
        self._account = account
        self._counter = counter
        self._key = key
        self._max_new_tokens = max_new_tokens
        self._sleep = sleep
        self._client = client
        self._system_tokens = counter.count(endpoint.chat.system)
        self._booking = BatchBooking(account, max_new_tokens)
        self._gate = asyncio.Semaphore(account.settings.concurrency)
        self.failure: ReadbenchError | None = None  # the first: nothing leaves after it

    async def answer(self, prompt: str) -> Response | None:
        """The prompt's response, stored; None where the batch has failed."""
        async with self._gate:
            try:
                return await self._attempts(prompt)
            except ReadbenchError as error:
                self.failure = self.failure or error
                return None

    async def _attempts(self, prompt: str) -> Response | None:
        settings = self._account.settings
        again = retrying(prompt, attempts=settings.attempts, base_seconds=settings.backoff_seconds, sleep=self._sleep)
        try:
            return await again(self._attempt, prompt)
        except Fault as fault:
            raise self._final(fault, again.statistics["attempt_number"]) from None

    async def _attempt(self, prompt: str) -> Response | None:
        """One request: reserved, sent, its answer checked, stored, settled; Fault where it brought none.

        None where the batch has failed: then nothing is sent.
        """
        if self.failure is not None:
            return None
        counted = self._counter.count(prompt)
        # No tokenizer makes more tokens of a text than it has bytes, apart from what its template adds.
        most = max(counted, len(prompt.encode("utf-8", "surrogatepass")))
        cap = most + max(self._system_tokens, self._endpoint.added_bytes) + self._account.settings.template_tokens
        request = await self._booking.reserve(_digest(prompt), prompt_tokens=cap, completion_tokens=self._max_new_tokens)
        try:
            completion = await self._exchange(prompt)
            response = self._response(completion, prompt_cap=cap)
        except Fault as fault:
            await self._booking.lose(request, in_doubt=fault.in_doubt)
            raise
        await self._booking.settle(request, prompt, response, prompt_tokens=max(completion.prompt_tokens, counted + self._system_tokens))
        return response

    async def _exchange(self, prompt: str) -> Completion:
        endpoint = self._endpoint
        body = request_body(endpoint, prompt, max_new_tokens=self._max_new_tokens)
        answer = await exchange(
            self._client, endpoint.address.target, body, deadline_seconds=self._account.settings.deadline_seconds, key=self._key
        )
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
        cut = self._counter.cut(completion.text, most)
        if cut is not None:
            return Response(text=cut, tokens=most, finished=False)
        finished = completion.finish_reason == "stop"
        counted = min(most, self._counter.count(completion.text) + finished)  # the end of sequence is a token
        return Response(text=completion.text, tokens=max(completion.completion_tokens, counted), finished=finished)

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


def _digest(prompt: str) -> bytes:
    return content_digest(prompt.encode("utf-8", "surrogatepass"))
