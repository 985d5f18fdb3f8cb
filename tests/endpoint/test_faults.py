"""Whatever an endpoint does: what is spent is bounded and accounted, the message is one line, and asking again later works."""

import asyncio
import math
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from readbench.api import Response
from readbench.base.errors import ReadbenchError
from readbench.teachers.endpoint import faults
from readbench.teachers.endpoint.servers.address import parse_address
from readbench.teachers.endpoint.servers.client import exchange, open_client

PROMPT = "How many?"
ANSWER = Response(text="9", tokens=2, finished=True)
CAP = len(PROMPT) + 16 + 8  # the prompt's bytes, the template's tokens, the answer's limit
HALF_A_PAIR = b'{"model": "stub", "choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}'
CHOICE = {"message": {"content": "9"}, "finish_reason": "stop"}
ELSEWHERE = "Location: http://127.0.0.1:1/\r\n"
HTML = b"<!doctype html><title>Sign in</title>"


@dataclass(frozen=True)
class Fault:
    """One way to fail, and what comes of it."""

    does: Callable[[Any], Any]  # stub -> behaviour
    said: str  # in the message
    attempts: int = 1
    charged: int = CAP  # an attempt
    exit_code: int = 5
    settings: dict[str, Any] | None = None


def usage(prompt: Any, completion: Any) -> Callable[[Any], Any]:
    reported = {"prompt_tokens": prompt, "completion_tokens": completion}
    return lambda stub: stub.sends(stub.http(stub.document("9", usage=reported)))


def error(status: str, message: str = "because", headers: str = "") -> Callable[[Any], Any]:
    return lambda stub: stub.sends(stub.http({"error": {"message": message}}, status=status, headers=headers))


def body(content: Any, **more: Any) -> Callable[[Any], Any]:
    return lambda stub: stub.sends(stub.http(content, **more))


def answer(text: str = "9", **more: Any) -> Callable[[Any], Any]:
    return lambda stub: stub.sends(stub.http(stub.document(text, **more)))


def choice(*choices: Any) -> Callable[[Any], Any]:
    return changed(choices=list(choices))


def changed(**changes: Any) -> Callable[[Any], Any]:
    return lambda stub: stub.sends(stub.http(stub.document("9") | changes))


NO_JSON = "its answer is not JSON"
FAULTS = {
    "429": Fault(error("429 Slow", "too fast"), "HTTP 429: too fast (3 attempts)", attempts=3, charged=0),
    "429, wait an hour": Fault(error("429 Slow", headers="Retry-After: 3600\r\n"), "HTTP 429: because", charged=0),
    "500 after the work": Fault(error("500 Oops"), "HTTP 500: because (3 attempts)", attempts=3),
    "503 without a body": Fault(body(b"", status="503 Busy"), "HTTP 503 (3 attempts)", attempts=3),
    "408": Fault(error("408 Timeout"), "HTTP 408", attempts=3),
    "400": Fault(error("400 Bad", "prompt too long"), "HTTP 400: prompt too long", charged=0, exit_code=2),
    "400, the context": Fault(
        error("400 Bad", "This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens"),
        "start the server with a longer context (vLLM: --max-model-len)",
        charged=0,
        exit_code=2,
    ),
    "400, a field that it does not take": Fault(
        error("400 Bad", "'temperature' does not support 0 with this model"),
        "leave the field out: --set params.teacher.openai.omit=temperature",
        charged=0,
        exit_code=2,
    ),
    "401": Fault(error("401 Who", "no key"), "TEACHER_API_KEY is not set", charged=0, exit_code=2),
    "403": Fault(error("403 No"), "HTTP 403", charged=0, exit_code=2),
    "404": Fault(error("404 None", "no such model"), "HTTP 404: no such model", charged=0, exit_code=2),
    "402": Fault(error("402 Pay"), "HTTP 402"),
    "204": Fault(body(b"", status="204 Nothing"), "HTTP 204"),
    "a redirect": Fault(body(b"", status="307 There", headers=ELSEWHERE), "it redirects (HTTP 307)", charged=0, exit_code=2),
    "a slow drip": Fault(
        lambda stub: stub.drips(stub.http(stub.document("9")), seconds=0.02),
        "no whole answer within 0.2 seconds (3 attempts)",
        attempts=3,
        settings={"deadline_seconds": 0.2},
    ),
    "a slow drip of headers": Fault(
        lambda stub: stub.drips(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, seconds=0.02),
        "no whole answer within 0.2 seconds",
        attempts=3,
        settings={"deadline_seconds": 0.2},
    ),
    "a truncated body": Fault(
        lambda stub: stub.sends(stub.http(stub.document("9"), length=1000)), "the connection broke before the answer was whole", attempts=3
    ),
    "a reset": Fault(lambda stub: stub.resets(b"HTTP/1.1 200"), "the connection broke before the answer was whole", attempts=3),
    "no HTTP": Fault(lambda stub: stub.sends(b"SSH-2.0-OpenSSH\r\n\r\n"), "the connection broke before the answer was whole", attempts=3),
    "HTML with 200": Fault(body(HTML, kind="text/html"), f"{NO_JSON} (text/html)"),
    "half a JSON": Fault(body(b'{"model": "stub", "choices": [{"mess'), NO_JSON),
    "deep JSON": Fault(body(b"[" * 100_000), NO_JSON),
    "a body of 5 MB": Fault(body(b" " * (5 << 20)), "its answer is larger than 4,194,304 bytes"),
    "gzip": Fault(body(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"), "its answer is encoded (gzip), which was not asked for"),
    "negative usage": Fault(usage(5, -1), "usage.completion_tokens"),
    "infinite usage": Fault(
        lambda stub: stub.sends(stub.http(stub.document("9", usage={"prompt_tokens": 5, "completion_tokens": math.inf}))), "usage"
    ),
    "usage that is no number": Fault(usage("5", 2), "usage.prompt_tokens"),
    "fractional usage": Fault(usage(5, 1.5), "usage.completion_tokens"),
    "huge usage": Fault(usage(5, 10**30), "usage.completion_tokens"),
    "more tokens than asked for": Fault(usage(5, 9), "it reports 9 tokens for an answer of at most 8"),
    "more prompt than sent": Fault(usage(1000, 2), "it reports 1,000 tokens for a prompt of at most 25"),
    "another model": Fault(changed(model="cheap"), "it answered with model 'cheap'"),
    "no model": Fault(changed(model=None), "model"),
    "no choice": Fault(changed(choices=[]), "choices"),
    "two choices": Fault(
        lambda stub: stub.sends(stub.http(stub.document("9") | {"choices": stub.document("9")["choices"] * 2})), "choices"
    ),
    "a filtered answer": Fault(answer(finish="content_filter"), "its content filter stopped the answer"),
    "an answer given up": Fault(answer(finish="abort"), "it gave an answer up half-way (finish_reason 'abort') (3 attempts)", attempts=3),
    "a tool call": Fault(answer(finish="tool_calls"), "a resume asks the same prompt again"),
    "no text": Fault(choice({"message": {"content": None}, "finish_reason": "stop"}), "its answer holds no text"),
    "a refusal": Fault(
        choice({"message": {"content": None, "refusal": "I can't\nhelp"}, "finish_reason": "stop"}), "it refused to answer: I can't help; "
    ),
    "an image": Fault(
        choice({"message": {"content": [{"type": "image_url", "image_url": {}}]}, "finish_reason": "stop"}), "a part that is not text"
    ),
    "reasoning alone that ended": Fault(
        choice({"message": {"content": None, "reasoning_content": "Hm."}, "finish_reason": "stop"}), "its answer holds no text"
    ),
    "half a surrogate pair": Fault(
        body(b'{"model": "stub", "choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}'), NO_JSON
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_bounded_accounted_one_line_and_over_when_it_is_over(stub: Any, office: Callable[..., Any], fault: Fault) -> None:
    first = office(**(fault.settings or {}))
    stub.default = fault.does(stub)
    with pytest.raises(ReadbenchError) as raised:
        first.ask(PROMPT)
    assert fault.said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == fault.exit_code
    assert len(stub.requests) == fault.attempts
    spent = first.ledger.spent()
    assert (spent.requests, spent.tokens) == (fault.attempts, fault.attempts * fault.charged)

    stub.default = stub.answers
    later = office()
    assert later.ask(PROMPT) == [ANSWER]
    assert later.ledger.spent().tokens == fault.attempts * fault.charged + len(PROMPT) + ANSWER.tokens
    assert office().ask(PROMPT) == [ANSWER]
    assert len(stub.requests) == fault.attempts + 1, "an answer that is stored is not asked for again"


PASSING = [name for name, fault in FAULTS.items() if fault.attempts > 1]


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_costs_another_attempt(stub: Any, office: Callable[..., Any], name: str) -> None:
    fault = FAULTS[name]
    stub.script.extend([fault.does(stub)] * 2)
    made = office(**(fault.settings or {}) | {"deadline_seconds": 0.2 if "drip" in name else 5.0})
    assert made.ask(PROMPT) == [ANSWER]
    assert made.ledger.spent().tokens == 2 * fault.charged + len(PROMPT) + ANSWER.tokens
    assert [0.25 <= made.waits[0] < 0.5, 0.5 <= made.waits[1] < 1.0] == [True, True]


def test_an_endpoint_that_names_a_time_gets_it(stub: Any, office: Callable[..., Any]) -> None:
    stub.script.append(error("429 Slow", headers="Retry-After: 7\r\n")(stub))
    made = office()
    assert made.ask(PROMPT) == [ANSWER]
    assert made.waits == [7.0]


def test_a_reset_at_each_byte_is_a_fault_that_may_have_cost(stub: Any) -> None:
    answer = stub.http(stub.document("9"))
    stub.script.extend(stub.resets(answer[:byte]) for byte in range(len(answer)))
    address = parse_address(stub.url, "chat")

    async def ask() -> None:
        async with open_client(near=address.near, key="", connections=1, deadline_seconds=5.0) as client:
            for byte in range(len(answer)):
                with pytest.raises(faults.Fault) as raised:
                    await exchange(client, address.target, {}, deadline_seconds=5.0)
                assert (raised.value.in_doubt, raised.value.retry) == (True, True), byte

    asyncio.run(ask())
    assert len(stub.requests) == len(answer)


def test_resets_along_an_answer_are_survived_and_charged_at_the_cap(stub: Any, office: Callable[..., Any]) -> None:
    answer = stub.http(stub.document("9"))
    prompts = [f"{byte:09d}" for byte in range(0, len(answer), 20)]
    for prompt in prompts:
        stub.script.extend([stub.resets(answer[: int(prompt)]), stub.answers])
    made = office(concurrency=1)
    assert made.ask(*prompts) == [ANSWER] * len(prompts)
    assert made.ledger.spent().tokens == len(prompts) * (CAP + len(PROMPT) + ANSWER.tokens)


def test_an_endpoint_that_cannot_be_reached_costs_nothing(office: Callable[..., Any], stub: Any) -> None:
    made = office()
    stub._server.shutdown()
    stub._server.server_close()
    with socket.socket() as held:  # bound, but it does not listen: another test's server could else get the port
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(stub._server.server_address)
        with pytest.raises(ReadbenchError, match="cannot be reached") as raised:
            made.ask(PROMPT)
    assert raised.value.exit_code == 5
    assert made.ledger.spent().tokens == 0


ONLY_REASONING = {
    "vLLM's and SGLang's parser": {"content": None, "reasoning_content": "Let me think"},
    "an empty text": {"content": ""},
    "a thinking part": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me think"}]}]},
}


@pytest.mark.parametrize("message", ONLY_REASONING.values(), ids=ONLY_REASONING.keys())
def test_an_answer_that_ran_out_in_reasoning_stops_and_is_paid_for_once(stub: Any, office: Callable[..., Any], message: Any) -> None:
    said = {"choices": [{"message": message, "finish_reason": "length"}], "usage": {"prompt_tokens": 5, "completion_tokens": 8}}
    stub.default = stub.sends(stub.http(stub.document() | said))
    for _ in ("the run", "its resume"):
        with pytest.raises(ReadbenchError, match=r"max_new_tokens \(8\) ran out before it began to answer") as raised:
            office().ask(PROMPT)
        assert raised.value.exit_code == 5
        assert "turn the teacher's thinking off" in raised.value.hint
    assert len(stub.requests) == 1
    assert office().ledger.spent().tokens == len(PROMPT) + 8


def test_an_answer_in_parts_is_the_text_of_its_text_parts(stub: Any, office: Callable[..., Any]) -> None:
    parts = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "4"}, {"type": "text", "text": "2"}]
    stub.default = choice({"message": {"content": parts}, "finish_reason": "stop"})(stub)
    assert office().ask(PROMPT)[0].text == "42"


@pytest.mark.parametrize("reported", [None, {"prompt_tokens": 0, "completion_tokens": 0}], ids=["missing", "zero"])
def test_usage_that_is_missing_or_zero_buys_no_free_tokens(stub: Any, office: Callable[..., Any], reported: Any) -> None:
    stub.default = stub.sends(stub.http(stub.document("9", usage=reported)))
    made = office()
    assert made.ask(PROMPT) == [ANSWER]
    assert made.ledger.spent().tokens == len(PROMPT) + ANSWER.tokens


def test_usage_above_what_is_counted_here_is_charged_as_reported(stub: Any, office: Callable[..., Any]) -> None:
    stub.default = usage(20, 6)(stub)
    made = office()
    assert made.ask(PROMPT) == [Response(text="9", tokens=6, finished=True)]
    assert made.ledger.spent().tokens == 26


def test_a_text_longer_than_asked_for_is_cut_and_unfinished(stub: Any, office: Callable[..., Any]) -> None:
    stub.default = stub.sends(stub.http(stub.document("0123456789", usage={"prompt_tokens": 5, "completion_tokens": 3})))
    made = office()
    assert made.ask(PROMPT) == [Response(text="01234567", tokens=8, finished=False)]
    assert made.ledger.spent().tokens == len(PROMPT) + 8


def test_an_answer_at_the_limit_is_unfinished(stub: Any, office: Callable[..., Any]) -> None:
    stub.default = stub.sends(stub.http(stub.document("0123", finish="length", usage=None)))
    assert office().ask(PROMPT) == [Response(text="0123", tokens=4, finished=False)]


def test_an_answer_that_the_server_cut_off_before_the_limit_is_not_taught(stub: Any, office: Callable[..., Any]) -> None:
    stub.default = stub.sends(stub.http(stub.document("0123", finish="length", usage={"prompt_tokens": 5, "completion_tokens": 4})))
    with pytest.raises(ReadbenchError, match="it cut an answer off after 4 of 8 tokens") as raised:
        office().ask(PROMPT)
    assert "--max-model-len" in raised.value.hint
    assert office().ask(PROMPT, max_new_tokens=4) == [Response(text="0123", tokens=4, finished=False)]


def test_what_is_under_way_when_a_prompt_fails_is_waited_for_and_kept(stub: Any, office: Callable[..., Any]) -> None:
    stub.script.append(error("401 Who")(stub))
    made = office(concurrency=4)
    prompts = [f"{number:09d}" for number in range(20)]
    with pytest.raises(ReadbenchError, match="HTTP 401"):
        made.ask(*prompts)
    under_way = len(stub.requests)
    assert under_way <= 8
    assert office().ask(*prompts) == [ANSWER] * 20
    assert len(stub.requests) == under_way + 20 - (under_way - 1)


def test_a_prompt_that_waits_for_its_next_attempt_is_not_asked_again_once_another_has_failed(stub: Any, office: Callable[..., Any]) -> None:
    made = office(concurrency=2)
    answers = {"busy": error("500 Oops")(stub), "refused": error("401 Who")(stub)}
    stub.default = lambda connection, request: answers[request["messages"][0]["content"]](connection, request)

    async def sleep_until_the_other_is_refused(seconds: float) -> None:
        while (made.ledger.spent().requests, made.ledger.spent().in_doubt) != (2, 1):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)

    made.teacher._sleep = sleep_until_the_other_is_refused
    with pytest.raises(ReadbenchError, match="HTTP 401"):
        made.ask("busy", "refused")
    assert len(stub.requests) == 2
