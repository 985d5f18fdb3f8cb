"""An endpoint on loopback that does what a test tells it: answers, or fails in a given way."""

import json
import math
import socket
import socketserver
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from readbench.api import Response, Scored, Vector
from readbench.models.folder import resolve_model
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.teachers.cached import CachedTeacher
from readbench.teachers.endpoint.request import make_endpoint
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.responses import ResponseCache
from readbench.teachers.spend.account import Account
from readbench.teachers.spend.ledger import FILE, SpendLedger, prepare_ledger
from readbench.teachers.spend.prices import Limit

MODEL = "stub"
Behaviour = Callable[[socket.socket, dict[str, Any]], None]


def _answer_to(prompt: str) -> str:
    return str(len(prompt.rstrip()))


class Stub:
    """The endpoint: `script` holds what it does with the next requests, `default` what it does then."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []  # bodies, as they came
        self.probes = 0  # how often it was asked for its models
        self.models = self.http({"error": "no such path"}, status="404 No")  # what it says then
        self.headers: list[str] = []
        self.script: deque[Behaviour] = deque()
        self.default: Behaviour = self.answers
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(ConnectionError):  # a client that hangs up
                    while stub._one(self):
                        pass

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _one(self, handler: socketserver.StreamRequestHandler) -> bool:
        """One request; whether the connection goes on."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = handler.rfile.readline()
            if not line:
                return False
            head += line
        if head.startswith(b"GET /v1/models "):
            self.probes += 1
            handler.connection.sendall(self.models)
            return True
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        request = json.loads(handler.rfile.read(length))
        self.headers.append(head.decode())
        self.requests.append(request)
        behaviour = self.script.popleft() if self.script else self.default
        behaviour(handler.connection, request)
        return behaviour in (self.answers, self.scores)

    @staticmethod
    def document(text: str = "42", *, model: str = MODEL, finish: str = "stop", usage: Any = "honest", api: str = "chat") -> dict[str, Any]:
        """An answer as the API has it."""
        said = {"message": {"role": "assistant", "content": text}} if api == "chat" else {"text": text}
        honest = {"prompt_tokens": 5, "completion_tokens": len(text) + 1, "total_tokens": len(text) + 6}
        answer = {"id": "x", "object": "any", "model": model, "choices": [{"index": 0, "finish_reason": finish, **said}]}
        return answer if usage is None else answer | {"usage": honest if usage == "honest" else usage}

    @staticmethod
    def http(body: Any, *, status: str = "200 OK", headers: str = "", kind: str = "application/json", length: int | None = None) -> bytes:
        """A response's bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        size = len(content) if length is None else length
        return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + content

    @classmethod
    def listing(cls, *names: str, owner: str = "vllm") -> bytes:
        """A list of models as vLLM and SGLang give it."""
        return cls.http({"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner} for name in names]})

    @staticmethod
    def sends(content: bytes) -> Behaviour:
        """Sends the bytes."""
        return lambda connection, _: connection.sendall(content)

    @staticmethod
    def drips(content: bytes, *, seconds: float) -> Behaviour:
        """Sends one byte at a time, with a pause after each."""

        def behave(connection: socket.socket, request: dict[str, Any]) -> None:
            for byte in content:
                connection.sendall(bytes([byte]))
                time.sleep(seconds)

        return behave

    @staticmethod
    def resets(content: bytes) -> Behaviour:
        """Sends the bytes, then resets the connection."""

        def behave(connection: socket.socket, request: dict[str, Any]) -> None:
            connection.sendall(content)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        return behave

    def answers(self, connection: socket.socket, request: dict[str, Any]) -> None:
        """What a sound endpoint does: the same answer to the same prompt, with an honest account of it."""
        api = "chat" if "messages" in request else "completions"
        text = _answer_to(request["messages"][-1]["content"] if api == "chat" else request["prompt"])
        connection.sendall(self.http(self.document(text, api=api)))

    @staticmethod
    def logprob(tokens: list[int], place: int) -> float:
        """What the stub holds of a token: a function of the sequence up to it."""
        return -0.001 * (sum((n + 1) * token for n, token in enumerate(tokens[: place + 1])) % 4000)

    def best(self, tokens: list[int], place: int, k: int) -> list[tuple[int, float]]:
        """Its k most probable tokens there but for the sequence's own: each has half of the mass that is left."""
        left = max(1.0 - math.exp(self.logprob(tokens, place)), 1e-6)
        return [(100 + (tokens[place] + rank) % 50, math.log(left * 0.5 ** (rank + 1))) for rank in range(k)]

    def scores(self, connection: socket.socket, request: dict[str, Any]) -> None:
        """What a sound vLLM or SGLang answers to a request for the log-probabilities of given tokens."""
        connection.sendall(self.http(self.scored(request)))

    def answers_and_scores(self, connection: socket.socket, request: dict[str, Any]) -> None:
        """Both, by what is asked: token ids are scored, text is answered."""
        (self.scores if isinstance(request.get("prompt"), list) else self.answers)(connection, request)

    def scored(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer, as the server has it."""
        tokens = request.get("prompt", request.get("input_ids"))
        k = request.get("prompt_logprobs", request.get("top_logprobs_num", 0))
        values = [None, *(self.logprob(tokens, place) for place in range(1, len(tokens)))]
        if "input_ids" in request:
            about = {"prompt_tokens": len(tokens), "input_token_logprobs": [[v, t, None] for v, t in zip(values, tokens, strict=True)]}
            if k:
                about["input_top_logprobs"] = [None, *([[v, t, None] for t, v in self.best(tokens, p, k)] for p in range(1, len(tokens)))]
            return {"text": "x", "meta_info": about}
        places = [None if v is None else {str(t): {"logprob": v, "rank": 1}} for v, t in zip(values, tokens, strict=True)]
        for place, held in enumerate(places):
            if held is not None and k:
                held.update({str(t): {"logprob": v, "rank": 1} for t, v in self.best(tokens, place, k)})
        choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": places}
        return {"model": MODEL, "choices": [choice], "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.close()


class Office:
    """A run directory as one worker of a run sees it; a new one on the same folder is a resume."""

    def __init__(
        self,
        run_dir: Path,
        url: str,
        *,
        limit: Limit = Limit(),  # noqa: B008
        params: dict[str, Any] | None = None,
        chat: ChatConfig = NO_CHAT,
        scores: str = "",
        **settings: Any,
    ) -> None:
        self.waits: list[float] = []
        settings = {"deadline_seconds": 5.0, "backoff_seconds": 0.5, "attempts": 3, "template_tokens": 16} | settings
        prepare_ledger(run_dir)
        self.ledger = SpendLedger(run_dir / FILE, limit=limit)
        self.cache = ResponseCache(run_dir / "responses.sqlite")
        known = {"url": url, "api": "chat", "served_as": "", "limit_field": "max_tokens"}
        named = "lab/teacher" if scores else ""
        self.teacher = OpenAITeacher(make_endpoint(MODEL, **known | (params or {})), tokenizer=named, scores=scores, sleep=self._sleep)
        self.teacher.chat = chat
        self.teacher.open_account(
            Account(
                run_dir=run_dir,
                settings=EndpointConfig(**settings),
                ledger=self.ledger,
                student_path=resolve_model("lab/student"),  # a token is a byte
                keep=lambda answers, most: self.cache.put(self.teacher.fingerprint(), answers, max_new_tokens=most),
                keep_scores=lambda scores, k: self.cache.put_scores(self.teacher.fingerprint(), scores, k),
            )
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def ask(self, *prompts: str, max_new_tokens: int = 8) -> list[Response]:
        return CachedTeacher(self.teacher, self.cache).respond(prompts, max_new_tokens=max_new_tokens)

    def score(self, *sequences: Scored) -> list[Vector]:
        return CachedTeacher(self.teacher, self.cache).score(sequences)

    def top(self, *sequences: Scored, k: int) -> list[Vector]:
        return CachedTeacher(self.teacher, self.cache).top(sequences, k)

    def close(self) -> None:
        self.ledger.close()
        self.cache.close()


@pytest.fixture
def office(tmp_path: Path, stub: Stub) -> Iterator[Callable[..., Office]]:
    """Makes offices on one run directory and the stub."""
    made: list[Office] = []

    def make(**settings: Any) -> Office:
        made.append(Office(tmp_path, stub.url, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()
