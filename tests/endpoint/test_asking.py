"""What leaves for an endpoint."""

import base64
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from readbench.base.errors import ConfigError, ReadbenchError, SurroundingError
from readbench.teachers.endpoint.settings import read_key
from readbench.teachers.spend.prices import Limit


def test_answers_come_in_the_order_of_the_prompts_and_each_prompt_is_asked_once(stub: Any, office: Callable[..., Any]) -> None:
    prompts = ["a" * length for length in (5, 3, 9, 3, 1)]
    assert [response.text for response in office().ask(*prompts)] == ["5", "3", "9", "3", "1"]
    assert len(stub.requests) == 4


def test_no_more_requests_are_under_way_than_allowed(stub: Any, office: Callable[..., Any]) -> None:
    lock = threading.Lock()
    seen: list[int] = [0]

    def behave(connection: Any, request: Any) -> None:
        with lock:
            seen.append(seen[-1] + 1)
        time.sleep(0.01)
        with lock:
            seen.append(seen[-1] - 1)
        stub.answers(connection, request)

    stub.default = behave
    office(concurrency=2).ask(*(f"{number}" for number in range(12)))
    assert max(seen) == 2


def test_the_key_leaves_as_a_header_and_stands_nowhere_else(
    stub: Any, office: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    key = "sk-canary-123"
    monkeypatch.setenv("TEACHER_API_KEY", f" {key}\n")
    made = office()
    made.ask("Hello?")
    assert f"Authorization: Bearer {key}\r\n".lower() in stub.headers[0].lower()
    stub.default = stub.sends(stub.http({"error": {"message": f"bad key {key}"}}, status="401 Who"))
    with pytest.raises(ReadbenchError) as raised:
        made.ask("Again?")
    assert "bad key ***" in str(raised.value)
    assert "TEACHER_API_KEY is set" in str(raised.value)
    assert "canary" not in repr(vars(raised.value)) + str(raised.value)
    made.close()
    for file in tmp_path.rglob("*"):
        assert key.encode() not in file.read_bytes()
        assert base64.b64encode(key.encode()) not in file.read_bytes()


def test_without_a_key_no_header_is_sent(stub: Any, office: Callable[..., Any]) -> None:
    office().ask("Hello?")
    assert "authorization" not in stub.headers[0].lower()


def test_a_key_that_cannot_be_sent_is_named_by_its_variable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_API_KEY", "canary\nX-Evil: 1")
    with pytest.raises(ConfigError, match="TEACHER_API_KEY") as raised:
        read_key("TEACHER_API_KEY")
    assert "canary" not in str(raised.value)


def test_the_spend_limit_stops_the_asking_and_a_higher_one_goes_on(stub: Any, office: Callable[..., Any]) -> None:
    prompts = [f"{number:09d}" for number in range(10)]
    cap, cost = 9 + 16 + 8, 9 + 2
    limit = 3 * cost + cap  # a fourth request fits while three are settled, a fifth does not
    made = office(limit=Limit(tokens=limit), concurrency=1)
    with pytest.raises(ReadbenchError, match="spend limit of 66 tokens") as raised:
        made.ask(*prompts)
    assert raised.value.exit_code == 4
    assert made.ledger.spent().tokens == 4 * cost <= limit
    assert len(stub.requests) == 4
    assert len(office(limit=Limit(tokens=1000)).ask(*prompts)) == 10
    assert len(stub.requests) == 10, "what was answered before is not asked again"


def test_an_answer_that_cannot_be_stored_is_charged_at_its_cap_and_not_used(
    stub: Any, office: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = office()

    def full(*arguments: Any, **more: Any) -> None:
        raise SurroundingError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(made.cache, "put", full)
        with pytest.raises(SurroundingError, match="the disk is full"):
            made.ask("Hello?")
    assert (made.ledger.spent().in_doubt, made.ledger.spent().tokens) == (1, 6 + 16 + 8)
    assert made.ask("Hello?")[0].text == "6"
