"""Several servers of one model: requests are shared out, a server that fails rests and is tried again, all that is paid for is kept."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError, Fault
from readbench.teachers.endpoint.servers.address import Address, parse_address
from readbench.teachers.endpoint.servers.fleet import Fleet, Probe
from readbench.teachers.endpoint.settings import EndpointConfig

from .conftest import MODEL, Office, Stub

PROMPTS = [f"prompt {'x' * number}" for number in range(1, 25)]
Offices = Callable[..., Office]


@pytest.fixture
def second() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.close()


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def fleet_of(time: Time, *names: str) -> Fleet:
    addresses = [parse_address(f"http://{name}:8000/v1", "chat") for name in names]
    return Fleet(addresses, rest_seconds=1.0, sleep=time.sleep, clock=lambda: time.now)


async def well(_: Address) -> None:
    """A probe that finds nothing wrong."""


async def ask(fleet: Fleet, fault: Fault | None = None, probe: Probe = well) -> str:
    with suppress(Fault):
        async with fleet.lent(probe) as address:
            if fault is not None:
                raise fault
    return address.host.partition(":")[0]


def test_the_server_with_the_fewest_requests_is_asked() -> None:
    async def play() -> list[str]:
        fleet = fleet_of(Time(), "a", "b", "c")
        async with fleet.lent(well) as first, fleet.lent(well) as second, fleet.lent(well) as third, fleet.lent(well) as fourth:
            return [each.host for each in (first, second, third, fourth)]

    assert asyncio.run(play()) == ["a:8000", "b:8000", "c:8000", "a:8000"]


def test_a_server_that_fails_rests_longer_each_time_and_one_request_tries_it() -> None:
    async def play() -> None:
        time = Time()
        fleet = fleet_of(time, "a", "b")
        for rest in (1.0, 2.0, 4.0):
            assert await ask(fleet, Fault("broken", retry=True)) == "a"
            assert [await ask(fleet) for _ in range(3)] == ["b", "b", "b"]
            time.now += rest - 0.01
            assert await ask(fleet) == "b"
            time.now += 0.01
        async with fleet.lent(well) as tried, fleet.lent(well) as meanwhile, fleet.lent(well) as again:
            assert [each.host for each in (tried, meanwhile, again)] == ["a:8000", "b:8000", "b:8000"]  # one at a time, until it is back
        async with fleet.lent(well), fleet.lent(well) as both:
            assert both.host == "b:8000"
        assert time.slept == []

    asyncio.run(play())


def test_where_all_rest_requests_wait_for_the_first() -> None:
    async def play() -> None:
        time = Time()
        fleet = fleet_of(time, "a", "b")
        busy = Fault("HTTP 429", in_doubt=False, retry=True, wait_seconds=30.0)
        assert await ask(fleet, busy) == "a"
        assert busy.wait_seconds is None, "the other server has time now"
        late = Fault("HTTP 429", in_doubt=False, retry=True, wait_seconds=20.0)
        assert await ask(fleet, late) == "b"
        assert late.wait_seconds == 20.0
        assert late.message == "b:8000: HTTP 429"
        assert await ask(fleet) == "b"
        assert time.slept == [20.0]

    asyncio.run(play())


def test_a_refusal_is_no_reason_to_rest() -> None:
    async def play() -> None:
        fleet = fleet_of(Time(), "a", "b")
        assert await ask(fleet, Fault("HTTP 401", refused=True)) == "a"
        assert await ask(fleet) == "a"

    asyncio.run(play())


def test_a_server_is_probed_before_it_is_asked_again_and_rests_on_where_it_is_ill() -> None:
    async def play() -> None:
        time = Time()
        fleet = fleet_of(time, "a", "b")
        probed: list[str] = []

        async def ill(address: Address) -> None:
            probed.append(address.host)
            raise Fault("cannot be reached", in_doubt=False, retry=True)

        assert await ask(fleet, Fault("broken", retry=True)) == "a"
        time.now += 1.0
        with pytest.raises(Fault) as raised:
            async with fleet.lent(ill):
                pytest.fail("a server that is ill was lent")
        assert raised.value.message == "a:8000: cannot be reached"
        assert await ask(fleet, probe=ill) == "b"
        time.now += 2.0
        assert [await ask(fleet) for _ in range(2)] == ["a", "a"]
        assert probed == ["a:8000"]

    asyncio.run(play())


def test_a_server_that_is_ill_at_the_start_gets_no_request(office: Offices, stub: Stub, second: Stub) -> None:
    second.models = Stub.http({"error": "loading"}, status="503 Loading")
    made = office(replicas=(second.url,), backoff_seconds=60.0)
    assert [answer.text for answer in made.ask(*PROMPTS)] == [str(len(prompt)) for prompt in PROMPTS]
    made.ask("another batch")
    assert (len(stub.requests), second.requests) == (len(PROMPTS) + 1, [])
    assert (stub.probes, second.probes) == (1, 1)


@pytest.mark.parametrize("owner", ["vllm", "sglang"])
def test_a_server_of_another_model_is_refused_before_any_request(office: Offices, stub: Stub, second: Stub, owner: str) -> None:
    stub.models, second.models = Stub.listing("adapter", MODEL, owner=owner), Stub.listing("other", "adapter", owner=owner)
    made = office(replicas=(second.url,))
    with pytest.raises(EndpointRefusalError, match=rf"127\.0\.0\.1:{second.url[17:-3]}: it serves other, adapter, not {MODEL};"):
        made.ask(*PROMPTS)
    assert stub.requests == second.requests == []
    assert made.ledger.spent().tokens == 0


@pytest.mark.parametrize(
    "models",
    [
        Stub.listing("models/stub", owner="a host"),
        Stub.listing(),
        Stub.http({"error": "no such method"}, status="405 No"),
        Stub.http({"error": "this key may not"}, status="403 No"),
        Stub.http({"error": "no cache"}, status="500 Oh"),
        Stub.http(b"<html>", kind="text/html"),
        Stub.http([{"id": "other"}]),
    ],
    ids=["a host's list", "an empty list", "no such method", "no right to list", "no way to list", "no JSON", "another form"],
)
def test_what_says_nothing_of_the_model_is_no_reason_to_refuse(office: Offices, stub: Stub, second: Stub, models: bytes) -> None:
    stub.models = second.models = models
    assert [answer.text for answer in office(replicas=(second.url,)).ask(*PROMPTS)] == [str(len(prompt)) for prompt in PROMPTS]
    assert stub.requests
    assert second.requests


def test_both_servers_answer_and_the_answers_are_those_of_one(office: Offices, stub: Stub, second: Stub) -> None:
    answers = office(replicas=(second.url,)).ask(*PROMPTS)
    assert [answer.text for answer in answers] == [str(len(prompt)) for prompt in PROMPTS]
    assert len(stub.requests) + len(second.requests) == len(PROMPTS)
    assert min(len(stub.requests), len(second.requests)) >= len(PROMPTS) // 4


def test_a_dead_server_costs_one_request_and_the_other_answers_all(office: Offices, stub: Stub) -> None:
    dead = Stub()
    dead.close()
    made = office(replicas=(dead.url,), concurrency=2)
    answers = made.ask(*PROMPTS)
    assert [answer.text for answer in answers] == [str(len(prompt)) for prompt in PROMPTS]
    assert len(stub.requests) == len(PROMPTS)
    spent = made.ledger.spent()
    assert spent.in_doubt == 0  # one that never arrived is charged nothing


def test_when_all_fail_the_run_stops_and_says_which(office: Offices, stub: Stub, second: Stub) -> None:
    for each in (stub, second):
        each.default = Stub.sends(Stub.http({"error": "out of order"}, status="500 Oh"))
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:\d+: HTTP 500: out of order \(3 attempts\)"):
        office(replicas=(second.url,), concurrency=1).ask("prompt")


def test_replicas_change_no_identity_and_are_checked(office: Offices, second: Stub) -> None:
    assert office().teacher.fingerprint() == office(replicas=(second.url,)).teacher.fingerprint()
    for url, said in (
        ("http://example.com/v1", "would show key and prompts"),
        ("ftp://x", "not an HTTP address"),
        ("", "needs the address"),
    ):
        with pytest.raises(ConfigError, match=said):
            EndpointConfig(replicas=(url,))


def test_scores_are_shared_out_too(office: Offices, stub: Stub, second: Stub) -> None:
    for each in (stub, second):
        each.default = each.scores
    sequences: list[Any] = [((5, 6, 7, 8 + number), 2) for number in range(12)]
    found = office(replicas=(second.url,), scores="vllm").score(*sequences)
    for (tokens, begin), values in zip(sequences, found, strict=True):
        assert values.tolist() == [Stub.logprob(list(tokens), place) for place in range(begin, len(tokens))]
    assert min(len(stub.requests), len(second.requests)) >= 3
