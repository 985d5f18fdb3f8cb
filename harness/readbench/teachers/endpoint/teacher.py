"""The teacher behind an OpenAI-compatible endpoint (vLLM, SGLang, transformers serve, hosted ones).

Every request is booked at its cap in the spend ledger before it leaves, its answer is stored before it is settled, and only
then used: a process that dies in between leaves a request charged at its cap, never one that is free, and never asks again
for an answer that it has. The tokens of a response, which the experiment's budget is charged, are max(reported, counted
here) and at most `max_new_tokens`: a text that counts more is cut there, an answer that reports more is refused.

What an endpoint reports is a claim. The other count needs a tokenizer: name the teacher's (``params.teacher.openai.tokenizer``) and
counts are in the teacher's tokens. Without it they are in the student's, whose budget they are charged to: a student with
smaller pieces counts more than the teacher generated (and cuts sooner), never less than it is going to read.
"""

import asyncio
import functools
from collections.abc import Sequence

from readbench.api import Response, Scored, Teacher, Vector, teacher
from readbench.base.errors import ConfigError
from readbench.base.hashing import file_hash, json_hash
from readbench.models.counting import TokenCounter, open_counter
from readbench.models.folder import resolve_tokenizer
from readbench.models.text import ChatConfig
from readbench.teachers.endpoint.asking import ask
from readbench.teachers.endpoint.faults import EndpointError
from readbench.teachers.endpoint.request import Endpoint, make_endpoint, with_chat
from readbench.teachers.endpoint.retry import Sleep
from readbench.teachers.endpoint.servers.address import parse_address
from readbench.teachers.endpoint.servers.fleet import Fleet
from readbench.teachers.endpoint.settings import read_key
from readbench.teachers.scoring.asking import score as ask_for_scores
from readbench.teachers.scoring.wire import check_server, differs
from readbench.teachers.spend.account import Account, KeepScores

_VERSION = "openai-1"  # changes when the same endpoint would be asked, or its answer read, in another way


class OpenAITeacher:
    """One model of one endpoint; `tokenizer` is a folder or a hub id, or empty."""

    def __init__(self, endpoint: Endpoint, *, tokenizer: str, scores: str = "", sleep: Sleep = asyncio.sleep) -> None:
        self._endpoint = endpoint
        self._tokenizer = tokenizer
        self._server = check_server(scores, tokenizer=tokenizer)
        self._repeats = False  # whether the endpoint has shown that it scores one sequence twice alike
        self._sleep = sleep
        self._account: Account | None = None
        self._key = ""

    @property
    def model(self) -> str:
        """As the endpoint and the price file name it."""
        return self._endpoint.model

    @property
    def chat(self) -> ChatConfig:
        """How the run speaks to the model: set before the fingerprint is taken. ConfigError where its API has no place for it."""
        return self._endpoint.chat

    @chat.setter
    def chat(self, chat: ChatConfig) -> None:
        self._endpoint = with_chat(self._endpoint, chat)

    @property
    def system(self) -> str:
        """See `readbench.teachers.spend.account.PaidTeacher`."""
        return self._endpoint.chat.system

    @property
    def added_bytes(self) -> int:
        """See `readbench.teachers.spend.account.PaidTeacher`."""
        return self._endpoint.added_bytes

    def fingerprint(self) -> str:
        """Hash of the address, the model and the way of asking and counting; asks nobody."""
        endpoint = self._endpoint
        counted = tokenizer_hash(self._tokenizer) if self._tokenizer else "student"
        parts = [_VERSION, endpoint.address.base, endpoint.api, endpoint.model, endpoint.served_as, endpoint.limit_field, counted]
        variant = endpoint.variant()
        return json_hash([*parts, variant] if variant else parts)

    def open_account(self, account: Account) -> None:
        """See `readbench.teachers.spend.account.PaidTeacher`; ConfigError where the key cannot be one."""
        self._account = account
        self._key = read_key(account.settings.key_env)
        servers = [self._endpoint.address, *(parse_address(url, self._endpoint.api) for url in account.settings.replicas)]
        self._fleet = Fleet(servers, rest_seconds=account.settings.backoff_seconds, sleep=self._sleep)

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """One response a prompt, in order; see `readbench.teachers.endpoint.asking.ask`."""
        account = self._opened
        return asyncio.run(
            ask(
                prompts,
                endpoint=self._endpoint,
                fleet=self._fleet,
                account=account,
                counter=self._counter,
                key=self._key,
                max_new_tokens=max_new_tokens,
                sleep=self._sleep,
            )
        )

    def scoring_tokenizer(self) -> str:
        """See `readbench.api.ScoringTeacher`."""
        return self._tokenizer if self._server else ""

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        """See `readbench.api.ScoringTeacher`."""
        return self._read(sequences, 0)

    def top(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        """See `readbench.api.ScoringTeacher`."""
        return self._read(sequences, k)

    def _read(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        """The first sequence of a process is scored twice: servers gave stale values from caches.

        Nothing is stored before the two agree: a resume would believe it.
        """
        account = self._opened
        if not sequences or self._repeats:
            return self._scored(sequences, k, account.keep_scores)
        first, again = (self._scored(sequences[:1], k, lambda *_: None)[0] for _ in range(2))
        if apart := differs(first, again):
            raise EndpointError(f"teacher {self.model} at {self._endpoint.address.host}: {apart}", hint="turn off its prefix cache")
        self._repeats = True
        account.keep_scores({sequences[0]: first}, k)
        return [first, *self._scored(sequences[1:], k, account.keep_scores)]

    def _scored(self, sequences: Sequence[Scored], k: int, keep: KeepScores) -> list[Vector]:
        return asyncio.run(
            ask_for_scores(
                sequences,
                endpoint=self._endpoint,
                fleet=self._fleet,
                server=self._server,
                k=k,
                account=self._opened,
                keep=lambda scores: keep(scores, k),
                key=self._key,
                sleep=self._sleep,
            )
        )

    @property
    def _opened(self) -> Account:
        if self._account is None:
            raise RuntimeError("a paid teacher needs an account before it is asked: see readbench.runs.executors.worker")
        return self._account

    @functools.cached_property
    def _counter(self) -> TokenCounter:
        return open_counter(resolve_tokenizer(self._tokenizer) if self._tokenizer else self._opened.student_path)


def tokenizer_hash(reference: str) -> str:
    """The hash of a named tokenizer's file: counts depend on it."""
    file = resolve_tokenizer(reference) / "tokenizer.json"
    if not file.is_file():
        raise ConfigError(
            f"params.teacher.openai.tokenizer: {reference} has no tokenizer.json", hint="name a folder or hub id that has one"
        )
    return file_hash(file)


@teacher("openai")
def openai(
    model: str,
    device: str,  # noqa: ARG001 - of every teacher; this one computes elsewhere
    *,
    url: str = "",
    api: str = "chat",
    served_as: str = "",
    tokenizer: str = "",
    limit_field: str = "max_tokens",
    omit: str = "",
    fields: str = "",
    scores: str = "",
) -> Teacher:
    """A model behind an OpenAI-compatible endpoint (--teacher-url), asked greedily."""
    endpoint = make_endpoint(model, url=url, api=api, served_as=served_as, limit_field=limit_field, omit=omit, fields=fields)
    return OpenAITeacher(endpoint, tokenizer=tokenizer, scores=scores)
