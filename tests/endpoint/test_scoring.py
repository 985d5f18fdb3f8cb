"""A teacher behind an endpoint that scores what the student wrote: sound servers, and servers that lie."""

import copy
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError, SpendLimitError
from readbench.teachers.endpoint.request import make_endpoint
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.spend.prices import Limit
from readbench.views.cli.main import main

FIRST, SECOND = ((5, 6, 7, 8), 2), ((9, 10, 11), 1)
Offices = Callable[..., Any]


def expected(stub: Any, sequence: tuple[tuple[int, ...], int]) -> list[float]:
    tokens, prompt_length = sequence
    return [stub.logprob(list(tokens), place) for place in range(prompt_length, len(tokens))]


@pytest.fixture(params=["vllm", "sglang"])
def server(request: pytest.FixtureRequest, stub: Any) -> str:
    stub.default = stub.scores
    return str(request.param)


def test_both_servers_give_the_log_probabilities_after_the_prompt(server: str, stub: Any, office: Offices) -> None:
    found = office(scores=server).score(FIRST, SECOND)
    assert [each.tolist() for each in found] == [expected(stub, FIRST), expected(stub, SECOND)]
    assert len(stub.requests) == 3  # the first one twice: a stale value would show
    path = {"vllm": "POST /v1/completions ", "sglang": "POST /generate "}[server]
    assert all(head.startswith(path) for head in stub.headers)
    asked = stub.requests[0]
    assert asked.get("prompt", asked.get("input_ids")) in (list(FIRST[0]), list(SECOND[0]))
    wanted = {"vllm": {"max_tokens": 1, "prompt_logprobs": 0, "temperature": 0}, "sglang": {"return_logprob": True, "logprob_start_len": 0}}
    assert wanted[server].items() <= asked.items()


def test_each_request_is_booked_and_settled_at_what_was_read(server: str, office: Offices) -> None:
    made = office(scores=server)
    made.score(FIRST, SECOND)
    spent = made.ledger.spent()
    assert (spent.requests, spent.in_doubt) == (3, 0)
    assert (spent.prompt_tokens, spent.completion_tokens) == (4 + 4 + 3, 3)


def test_a_sequence_that_was_given_up_is_asked_again(server: str, stub: Any, office: Offices) -> None:
    def gives_up(connection: Any, request: dict[str, Any]) -> None:
        given = stub.scored(request)
        where = given["meta_info"] if server == "sglang" else given["choices"][0]
        where["finish_reason"] = {"type": "abort"} if server == "sglang" else "abort"
        connection.sendall(stub.http(given))

    stub.script.append(gives_up)
    made = office(scores=server)
    assert [each.tolist() for each in made.score(FIRST)] == [expected(stub, FIRST)]
    spent = made.ledger.spent()
    assert (spent.requests, spent.in_doubt) == (3, 1)  # one lost, and the first sequence twice


def test_what_was_scored_is_never_asked_again(server: str, stub: Any, office: Offices) -> None:
    first = office(scores=server).score(FIRST)
    asked = len(stub.requests)
    again = office(scores=server).score(FIRST, FIRST)  # another process on the same run
    assert [each.tolist() for each in again] == [first[0].tolist()] * 2
    assert len(stub.requests) == asked


@pytest.mark.parametrize("k", [1, 3])
def test_both_servers_give_the_most_probable_tokens_and_what_they_leave(server: str, stub: Any, office: Offices, k: int) -> None:
    found = office(scores=server).top(FIRST, SECOND, k=k)
    for (tokens, prompt_length), rows in zip((FIRST, SECOND), found, strict=True):
        assert rows.shape == (len(tokens) - prompt_length, 2 * k + 1)
        for place, row in enumerate(rows, prompt_length):
            best = stub.best(list(tokens), place, k)
            own = stub.logprob(list(tokens), place)
            ranked = sorted([*best, (tokens[place], own)], key=lambda pair: -pair[1])[:k]  # the stub's own token may be above them
            assert row[:k].tolist() == [token for token, _ in ranked]
            assert row[k : 2 * k].tolist() == [value for _, value in ranked]
            left = 1 - sum(math.exp(value) for _, value in ranked)
            assert math.exp(row[-1]) == pytest.approx(max(left, 0.0), abs=1e-12)
    asked = stub.requests[0]
    assert {"vllm": asked.get("prompt_logprobs"), "sglang": asked.get("top_logprobs_num")}[server] == k


def test_what_was_found_is_kept_for_each_k_apart(server: str, stub: Any, office: Offices) -> None:
    first = office(scores=server).top(FIRST, k=2)
    scores = office(scores=server).score(FIRST)
    asked = len(stub.requests)
    again = office(scores=server)
    assert again.top(FIRST, k=2)[0].tolist() == first[0].tolist()
    assert again.score(FIRST)[0].tolist() == scores[0].tolist() == expected(stub, FIRST)
    assert len(stub.requests) == asked


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda places: places[2].pop(next(iter(places[2]))), "it gives no log-probability of token 7 at place 2"),
        (lambda places: places[3].pop(list(places[3])[-1]) and places[3].pop(list(places[3])[-1]), "it gives 2 of the 3 most probable"),
        (
            lambda places: [each.update(logprob=0.0) for each in places[3].values()],
            "the 3 most probable tokens at place 3 have 3.000 of the mass",
        ),
        (lambda places: places[2].update({"1": {"logprob": None}}), "it gives None as the log-probability"),
        (lambda places: places[2].update({"1": {"logprob": 0.5}}), "it gives 0.5 as the log-probability"),
        (lambda places: places.pop(1), "it gives log-probabilities of 3 tokens for 4"),
    ],
)
def test_a_lie_about_the_most_probable_tokens_is_a_fault(stub: Any, office: Offices, change: Callable[[list[Any]], Any], said: str) -> None:
    stub.default = changed(lambda answer: change(places(answer)))(stub)
    with pytest.raises(EndpointError, match=re.escape(said)):
        office(scores="vllm").top(FIRST, k=3)


def test_more_than_the_server_allows_is_refused_with_its_words(stub: Any, office: Offices) -> None:
    said = "Requested prompt logprobs of 64, which is greater than max allowed: 20"
    stub.default = stub.sends(stub.http({"error": {"message": said}}, status="400 Bad Request"))
    with pytest.raises(EndpointRefusalError, match=re.escape(f"HTTP 400: {said}")) as raised:
        office(scores="vllm").top(FIRST, k=64)
    assert "params.objective.top-k.k" in raised.value.hint
    assert len(stub.requests) == 1


def test_values_that_do_not_repeat_are_refused_and_not_kept(stub: Any, office: Offices) -> None:
    behaviours = [stub.scores, changed(lambda answer: [each.update(logprob=-9.0) for each in places(answer)[3].values()])(stub)]
    stub.script.extend(behaviours)
    made = office(scores="vllm")
    with pytest.raises(EndpointError, match="the same tokens scored twice differ"):
        made.top(FIRST, k=2)
    assert made.cache.get_scores(made.teacher.fingerprint(), [FIRST], 2) == {}


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """A server of vLLM's kind whose answer is changed."""

    def behaviour(stub: Any) -> Any:
        def behave(connection: Any, request: dict[str, Any]) -> None:
            answer = copy.deepcopy(stub.scored(request))
            change(answer)
            connection.sendall(stub.http(json.dumps(answer).encode()))

        return behave

    return behaviour


def places(answer: dict[str, Any]) -> list[Any]:
    found: list[Any] = answer["choices"][0]["prompt_logprobs"]
    return found


def put(answer: dict[str, Any], place: int, value: Any) -> None:
    (token,) = places(answer)[place]
    places(answer)[place][token]["logprob"] = value


def shift(answer: dict[str, Any]) -> None:
    found = places(answer)
    found[1:] = [*found[2:], {"3": {"logprob": -1.0}}]


LIES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "shifted": (shift, "it gives no log-probability of token 7 at place 2: it holds those of 8; is its tokenizer the student's?"),
    "another tokenizer": (
        lambda answer: places(answer).__setitem__(3, {"99": {"logprob": -1.0}}),
        "it gives no log-probability of token 8 at place 3: it holds those of 99",
    ),
    "the actual token dropped": (
        lambda answer: places(answer)[2].clear(),
        "it gives no log-probability of token 7 at place 2: it holds none",
    ),
    "null": (lambda answer: places(answer).__setitem__(2, None), "it gives no log-probability of token 7 at place 2: it holds none"),
    "a null value": (lambda answer: put(answer, 3, None), "it gives no log-probability of token 8 at place 3"),
    "NaN": (lambda answer: put(answer, 2, float("nan")), "it gives nan as the log-probability of a token"),
    "minus infinity": (lambda answer: put(answer, 2, float("-inf")), "it gives -inf as the log-probability of a token"),
    "vLLM's minus infinity": (lambda answer: put(answer, 2, -9999.0), "it gives -9999.0 as the log-probability of a token"),
    "positive": (lambda answer: put(answer, 2, 0.5), "it gives 0.5 as the log-probability of a token"),
    "text": (lambda answer: put(answer, 2, "-1"), "it gives '-1' as the log-probability of a token"),
    "a boolean": (lambda answer: put(answer, 2, True), "it gives True as the log-probability of a token"),
    "too few": (lambda answer: places(answer).pop(), "it gives log-probabilities of 3 tokens for 4"),
    "none at all": (
        lambda answer: answer["choices"][0].pop("prompt_logprobs"),
        "its answer holds no log-probabilities of the prompt as vllm",
    ),
    "two choices": (lambda answer: answer["choices"].append({}), "its answer holds no log-probabilities of the prompt as vllm gives them"),
    "a larger prompt": (lambda answer: answer["usage"].update(prompt_tokens=5), "it reports 5 tokens for a prompt of 4"),
    "a negative count": (lambda answer: answer["usage"].update(prompt_tokens=-1), "its answer holds no log-probabilities"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_ends_in_one_line_and_is_charged(lie: str, stub: Any, office: Offices) -> None:
    change, message = LIES[lie]
    stub.default = changed(change)(stub)
    made = office(scores="vllm")
    with pytest.raises(EndpointError) as raised:
        made.score(FIRST)
    assert message in raised.value.message
    assert "\n" not in raised.value.message
    assert made.ledger.spent().prompt_tokens == 4  # it may have been worked on
    assert made.cache.get_scores(made.teacher.fingerprint(), [FIRST]) == {}


def test_stale_values_show_when_the_first_sequence_is_scored_again(stub: Any, office: Offices) -> None:
    stub.default = stub.scores
    stub.script.append(stub.scores)
    stub.script.append(changed(lambda answer: put(answer, 3, -2.5))(stub))
    made = office(scores="vllm")
    with pytest.raises(EndpointError, match=r"the same tokens scored twice differ by [\d.]+ nats") as raised:
        made.score(FIRST, SECOND)
    assert made.cache.get_scores(made.teacher.fingerprint(), [FIRST, SECOND]) == {}  # a resume would believe them
    assert raised.value.hint == "turn off its prefix cache"


def test_rounding_may_move_a_value_a_little(stub: Any, office: Offices) -> None:
    stub.default = stub.scores
    stub.script.append(stub.scores)
    stub.script.append(changed(lambda answer: put(answer, 3, stub.logprob(list(FIRST[0]), 3) - 0.05))(stub))
    assert office(scores="vllm").score(FIRST)[0].tolist() == expected(stub, FIRST)


def test_k_above_the_server_s_limit_is_a_refusal_in_its_words(stub: Any, office: Offices) -> None:
    said = {"error": {"message": "Requested prompt logprobs of 0, which is greater than max allowed: -1"}}
    stub.default = stub.sends(stub.http(said, status="400 Bad Request"))
    with pytest.raises(EndpointRefusalError, match="HTTP 400: Requested prompt logprobs of 0"):
        office(scores="vllm").score(FIRST)


def test_a_fault_that_may_pass_is_asked_again(stub: Any, office: Offices) -> None:
    stub.default = stub.scores
    stub.script.append(stub.sends(stub.http({}, status="503 Busy")))
    made = office(scores="vllm")
    assert made.score(FIRST)[0].tolist() == expected(stub, FIRST)
    assert len(made.waits) == 1


def test_the_spend_limit_holds_for_scores(stub: Any, office: Offices) -> None:
    stub.default = stub.scores
    made = office(scores="vllm", limit=Limit(tokens=9))  # 4 + 1 fit, and not once more
    with pytest.raises(SpendLimitError):
        made.score(FIRST)
    assert made.ledger.spent().tokens == 5


def test_settings_that_cannot_work_are_refused() -> None:
    endpoint = make_endpoint("m", url="http://127.0.0.1/v1", api="chat", served_as="", limit_field="max_tokens")
    with pytest.raises(ConfigError, match="scores is 'tgi'"):
        OpenAITeacher(endpoint, tokenizer="lab/teacher", scores="tgi")
    with pytest.raises(ConfigError, match="needs the teacher's tokenizer"):
        OpenAITeacher(endpoint, tokenizer="", scores="vllm")
    assert OpenAITeacher(endpoint, tokenizer="lab/teacher").scoring_tokenizer() == ""


AT = {"teacher": "openai:m", "params.teacher.openai.url": "http://localhost:1/v1", "allocators": "uniform", "seeds": "1"}
SCORING = {**AT, "params.teacher.openai.scores": "vllm", "params.teacher.openai.tokenizer": "lab/teacher"}


def planned(**flags: object) -> Any:
    return plan(resolve("multilingual", environment={}, flags=flags))


def test_an_endpoint_that_scores_serves_objectives_that_read_log_probabilities() -> None:
    planned(**SCORING, objective="rlad")
    with pytest.raises(ConfigError, match="objective jsd needs the teacher's logits, and openai:m gives none"):
        planned(**SCORING, objective="jsd")
    with pytest.raises(ConfigError, match=r"reads at temperature 0\.7, and endpoints give log-probabilities at temperature 1"):
        planned(**SCORING, objective="rlad", **{"params.objective.rlad.temperature": 0.7})
    planned(**SCORING, objective="top-k")
    with pytest.raises(ConfigError, match=r"objective top-k reads at temperature 2, and endpoints"):
        planned(**SCORING, objective="top-k", **{"params.objective.top-k.temperature": 2.0})
    with pytest.raises(ConfigError, match="gives none") as raised:
        planned(**AT, objective="rlad")
    assert "params.teacher.openai.scores" in raised.value.hint


def test_the_forecast_counts_scores_and_no_answers_where_the_student_writes_all(tmp_path: Path) -> None:
    text, own, warmed, alone = (
        planned(**SCORING, objective=name, **params).spend
        for name, params in (("sft", {}), ("rlad", {}), ("rlad", {"params.objective.rlad.warmup": 0.5}), ("grpo", {}))
    )
    budget = resolve("multilingual", environment={}, flags=SCORING).config.budgets[0]
    assert alone.worst.tokens == 0  # grpo asks no teacher
    assert own.expected.completion_tokens == own.expected.requests  # one token each, thrown away
    assert own.expected.prompt_tokens < budget / 2  # what is scored is trained too
    assert own.expected.tokens < own.worst.tokens
    assert own.worst.prompt_tokens == pytest.approx(budget / 2 * 6, abs=1)  # six attempts
    hinted = planned(**SCORING, objective="grpo", **{"params.objective.grpo.hint": 0.5}).spend
    assert 0 < hinted.expected.requests < own.expected.requests / 8  # a prompt has eight answers
    assert hinted.expected.requests < hinted.worst.requests
    half = own.expected.requests / 2 + text.expected.requests / 2
    assert warmed.expected.requests == pytest.approx(half, abs=1)


def test_the_forecast_counts_a_second_request_where_the_teacher_reads_its_own_answers() -> None:
    text, top = (planned(**SCORING, objective=name).spend for name in ("sft", "top-k"))
    assert top.expected.requests < 2 * text.expected.requests  # fewer answers, each asked for and read
    assert top.expected.requests > text.expected.requests
    answers = top.expected.requests / 2
    assert answers < text.expected.requests
    assert top.worst.requests > top.expected.requests


def test_a_run_is_taught_by_scores_over_http(
    stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stub.default = stub.scores
    monkeypatch.chdir(tmp_path)
    grid = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "9000", "--intervals", "2"]
    sets = ["executor=inline", "num_probes=9", "num_dev=9", "max_new_tokens=16", "params.objective.rlad.group_size=4"]
    sets += ["params.teacher.openai.scores=vllm", "params.teacher.openai.tokenizer=lab/teacher", "endpoint.attempts=1"]
    flags = [f"--set={each}" for each in sets]
    command = ["run", *grid, *flags, "--teacher", "openai:stub", "--teacher-url", stub.url, "--objective", "rlad", "--out", "run"]
    assert main(command) == 0, capfd.readouterr().err
    document = json.loads(Path("run/results.json").read_text())
    (trial,) = document["trials"]
    tokens = trial["tokens"]
    assert tokens["generated"] == 0 < tokens["scored"] == tokens["trained"]
    read = sum(len(request["prompt"]) for request in stub.requests[2:]) + len(stub.requests[0]["prompt"])
    assert read <= tokens["scored"]  # the same answer twice is one request
    assert all(request["prompt_logprobs"] == 0 for request in stub.requests)
    figures = [interval["figures"] for interval in trial["intervals"]]
    assert all("kl_to_teacher" in each for each in figures)


def test_a_run_is_taught_by_the_most_probable_tokens_over_http(
    stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stub.default = stub.answers_and_scores
    monkeypatch.chdir(tmp_path)
    grid = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "6000", "--intervals", "2"]
    sets = ["executor=inline", "num_probes=4", "num_dev=4", "max_new_tokens=16", "params.objective.top-k.k=5"]
    sets += ["params.teacher.openai.scores=vllm", "params.teacher.openai.tokenizer=lab/teacher", "endpoint.backoff_seconds=0.01"]
    flags = [f"--set={each}" for each in sets]
    command = ["run", *grid, *flags, "--teacher", "openai:stub", "--teacher-url", stub.url, "--objective", "top-k", "--out", "run"]
    assert main(command) == 0, capfd.readouterr().err
    (trial,) = json.loads(Path("run/results.json").read_text())["trials"]
    tokens = trial["tokens"]
    assert 0 < tokens["generated"] < tokens["scored"] == tokens["trained"]
    assert tokens["rollout"] == 0
    scored = [request for request in stub.requests if isinstance(request.get("prompt"), list)]
    assert {request["prompt_logprobs"] for request in scored} == {5}
    assert sum(map(len, {tuple(request["prompt"]) for request in scored})) <= tokens["scored"]  # a dropped connection is asked again
    asked = len(stub.requests)
    before = Path("run/results.json").read_bytes()
    shutil.rmtree(next(Path("run/trials").iterdir()))
    assert main(["resume", "run"]) == 0, capfd.readouterr().err
    assert len(stub.requests) == asked  # answers and what was read of them are of the cache
    again = json.loads(Path("run/results.json").read_text())["trials"][0]
    assert again["metrics"] == json.loads(before)["trials"][0]["metrics"]


@pytest.mark.parametrize("objective", ["rlad", "top-k"])
def test_what_an_endpoint_scored_is_repeated_offline_bit_for_bit(
    objective: str, stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stub.default = stub.answers_and_scores
    monkeypatch.chdir(tmp_path)
    grid = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "6000", "--intervals", "2"]
    sets = ["executor=inline", "num_probes=4", "num_dev=4", "max_new_tokens=16"]
    sets += ["params.objective.rlad.group_size=2"] if objective == "rlad" else []
    flags = [*grid, *(f"--set={each}" for each in sets), "--objective", objective]
    served = ["--set=params.teacher.openai.scores=vllm", "--set=params.teacher.openai.tokenizer=lab/teacher"]
    assert main(["run", *flags, *served, "--teacher", "openai:stub", "--teacher-url", stub.url, "--out", "first"]) == 0
    asked = len(stub.requests)
    assert main(["run", *flags, "--teacher", "recorded:first", "--out", "again"]) == 0, capfd.readouterr().err
    assert len(stub.requests) == asked
    first, again = (json.loads(Path(name, "results.json").read_text())["trials"][0] for name in ("first", "again"))
    assert (first["metrics"], first["intervals"]) == (again["metrics"], again["intervals"])
    capfd.readouterr()
    assert main(["run", *flags, "--teacher", "recorded:first", "--out", "other", "--seeds", "7,"]) != 0
    assert main(["run", *flags[:-1], "jsd", "--teacher", "recorded:first", "--dry-run"]) == 2
