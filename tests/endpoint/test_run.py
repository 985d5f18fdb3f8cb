"""Runs with a teacher behind HTTP, and their repetition from the record, through the command line as a user gives it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readbench.teachers.spend.ledger import read_spent
from readbench.views.cli.main import main

HERE = ["--set", "executor=inline"]  # what is tested is not the pool, and processes take seconds to start
GRID = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "4000", "--intervals", "2", "--workers", "1"]
SMALL = ["--set", "num_probes=9", "--set", "num_dev=9", "--set", "max_new_tokens=16"]
QUICK = ["--set", "endpoint.backoff_seconds=0.01", "--set", "endpoint.attempts=2", "--set", "endpoint.template_tokens=16"]
AT = ["--teacher", "openai:stub", "--teacher-url", "http://127.0.0.1/v1"]
CANARY = "sk-canary-4711"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def readbench(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a command in an empty folder, with a key in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHER_API_KEY", CANARY)

    def call(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = main(list(arguments))
        captured = capfd.readouterr()
        assert CANARY not in captured.out + captured.err
        return Outcome(code, captured.out, captured.err)

    return call


def paid(stub: Any, *, where: list[str] = HERE) -> list[str]:
    return ["run", *GRID, *SMALL, *QUICK, *where, "--teacher", "openai:stub", "--teacher-url", stub.url]


def trials(run_dir: str) -> list[dict[str, Any]]:
    """What a run's trials came to, without what differs between two runs of one kind: ids, timings."""
    document = json.loads((Path(run_dir) / "results.json").read_text())
    return [{key: value for key, value in trial.items() if key not in ("id", "seconds")} for trial in document["trials"]]


def provenance(run_dir: str) -> dict[str, str]:
    return dict(json.loads((Path(run_dir) / "results.json").read_text())["provenance"])


def test_a_failing_endpoint_stops_a_run_that_a_resume_completes_bit_for_bit(stub: Any, readbench: Callable[..., Outcome]) -> None:
    assert readbench(*paid(stub), "--out", "whole").code == 0
    asked = len(stub.requests)
    whole = read_spent(Path("whole"))
    assert whole is not None
    assert (whole.requests, whole.in_doubt) == (asked, 0)

    stub.script.extend([stub.answers] * (asked // 2))
    stub.default = stub.sends(stub.http({"error": {"message": "out\nof order"}}, status="500 Oops"))
    stopped = readbench(*paid(stub), "--out", "broken")
    assert stopped.code == 5
    errors = [line for line in stopped.err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "HTTP 500: out of order (2 attempts); what was paid for is kept; resume with: readbench resume broken" in errors[0]
    stored = json.loads(readbench("results", "broken", "--json").out)
    assert [trial["status"] for trial in stored["trials"]] == ["incomplete"], "the endpoint failed, not the allocator"

    stub.default = stub.answers
    assert readbench("resume", "broken").code == 0
    assert trials("broken") == trials("whole")
    broken = read_spent(Path("broken"))
    assert broken is not None
    settled = broken.requests - broken.in_doubt
    assert settled == asked, "no prompt was answered twice"
    budget = sum(
        sum(interval["tokens"][kind] for kind in ("generated", "trained")) for t in trials("broken") for interval in t["intervals"]
    )
    assert budget <= 4000
    for file in Path().rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()


def test_a_spend_limit_stops_a_run_with_4_and_is_no_part_of_its_identity(stub: Any, readbench: Callable[..., Outcome]) -> None:
    stopped = readbench(*paid(stub), "--spend-limit", "1500", "--out", "limited")
    assert stopped.code == 4
    assert "the spend limit of 1,500 tokens has no room for a request of up to" in stopped.err
    assert "readbench resume limited --spend-limit N" in stopped.err
    spent = read_spent(Path("limited"))
    assert spent is not None
    assert spent.tokens <= 1500
    assert readbench("resume", "limited").code == 4
    assert readbench("resume", "limited", "--spend-limit", "money").code == 2
    assert readbench("resume", "limited", "--spend-limit", "100000").code == 0
    spent = read_spent(Path("limited"))
    assert spent is not None
    assert (spent.requests, spent.in_doubt) == (len(stub.requests), 0)


def test_a_recorded_run_is_repeated_offline_bit_for_bit(stub: Any, readbench: Callable[..., Outcome]) -> None:
    assert readbench(*paid(stub), "--out", "first").code == 0
    stub.default = stub.sends(b"")
    asked = len(stub.requests)
    repeat = ["run", *GRID, *SMALL, *HERE, "--teacher"]
    assert readbench(*repeat, "recorded:first", "--out", "second").code == 0
    shutil.rmtree("first")
    assert readbench(*repeat, "recorded:second", "--out", "third").code == 0
    assert len(stub.requests) == asked
    assert trials("third") == trials("second")
    assert provenance("third") == provenance("second")

    other = readbench(*repeat, "recorded:second", "--set", "seeds=7,8", "--out", "other")
    assert other.code == 2
    assert "second holds no answer to a prompt of this run; repeat it with that run's suite, seeds" in other.err
    nothing = readbench(*repeat, "recorded:nowhere", "--out", "nothing")
    assert (nothing.code, "nowhere is not a run directory" in nothing.err) == (2, True)


def test_a_run_tells_its_endpoint_what_the_settings_say(stub: Any, readbench: Callable[..., Outcome]) -> None:
    chat = ["--set", "teacher_chat.system=Be brief.", "--set", "teacher_chat.template_args.enable_thinking=false"]
    fields = [
        "--set",
        'params.teacher.openai.fields={"reasoning_effort": "low", "top_k": 20}',
        "--set",
        "params.teacher.openai.omit=temperature,seed",
    ]
    assert readbench(*paid(stub), *chat, *fields, "--out", "told").code == 0
    for request in stub.requests:
        assert request["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (request["chat_template_kwargs"], request["reasoning_effort"], request["top_k"]) == ({"enable_thinking": False}, "low", 20)
        assert not {"temperature", "seed"} & request.keys()
    asked = len(stub.requests)
    assert readbench(*paid(stub), *chat, *fields, "--out", "told").code == 0
    other = readbench(*paid(stub), *fields, "--out", "told")
    assert (other.code, "teacher_chat.system was 'Be brief.', is now ''" in other.err) == (2, True)
    assert readbench("run", *GRID, *SMALL, *HERE, "--teacher", "recorded:told", "--out", "again").code == 0
    assert trials("again") == trials("told")
    assert len(stub.requests) == asked


def test_a_local_teacher_is_repeated_with_its_profile_and_answers(readbench: Callable[..., Outcome]) -> None:
    grid = ["run", *GRID, *SMALL, *HERE]
    assert readbench(*grid, "--out", "local").code == 0
    assert readbench(*grid, "--teacher", "recorded:local", "--out", "repeated").code == 0
    assert trials("repeated") == trials("local")
    assert provenance("repeated") == provenance("local")
    first, second = (json.loads((Path(name) / "results.json").read_text()) for name in ("local", "repeated"))
    assert first["start"] == second["start"]
    assert first["start"]["teacher_profile"] is not None


def test_a_run_killed_while_a_request_is_under_way_counts_it_and_completes(stub: Any, readbench: Callable[..., Outcome]) -> None:
    def kill(connection: Any, request: Any) -> None:
        os.killpg(process.pid, signal.SIGKILL)  # the run's, its fork server's, its workers'

    stub.script.extend([stub.answers] * 20)
    stub.default = kill
    command = [sys.executable, "-m", "readbench", *paid(stub, where=[]), "--spend-limit", "100000", "--out", "killed"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.wait() == -signal.SIGKILL
    left = read_spent(Path("killed"))
    assert left is not None
    under_way = left.in_doubt
    assert 1 <= under_way <= 8
    stub.default = stub.answers
    assert readbench("resume", "killed").code == 0
    spent = read_spent(Path("killed"))
    assert spent is not None
    assert spent.in_doubt == under_way, "in doubt for ever"
    assert spent.tokens <= 100_000
    for trial in trials("killed"):
        assert trial["tokens"]["generated"] + trial["tokens"]["trained"] <= 4000


def test_the_dry_run_says_what_would_be_spent_and_asks_nobody(stub: Any, readbench: Callable[..., Outcome]) -> None:
    Path("prices.yaml").write_text("stub: {prompt: 1.0, completion: 2.0, currency: USD}\n")
    shown = readbench(*paid(stub), "--spend-limit", "5 USD", "--prices", "prices.yaml", "--dry-run")
    assert shown.code == 0
    assert "teacher, expected: about " in shown.out
    assert "teacher, at worst: about " in shown.out
    assert " USD\n" in shown.out
    assert "the spend limit of 5 USD stops the run before" in shown.out
    spend = json.loads(readbench(*paid(stub), "--prices", "prices.yaml", "--dry-run", "--json").out)["spend"]
    assert 0 < spend["expected"]["requests"] < spend["worst"]["requests"]
    expected = spend["expected"]["prompt_tokens"] / 1e6 + 2 * spend["expected"]["completion_tokens"] / 1e6
    assert spend["expected"]["money"] == f"{expected:.2f} USD"
    assert spend["limit"] is None
    assert stub.requests == []


def test_the_dry_run_counts_the_system_prompt(stub: Any, readbench: Callable[..., Outcome]) -> None:
    plain = json.loads(readbench(*paid(stub), "--dry-run", "--json").out)["spend"]
    told = json.loads(readbench(*paid(stub), "--set", f"teacher_chat.system={'x' * 100}", "--dry-run", "--json").out)["spend"]
    for case in ("expected", "worst"):
        assert told[case]["requests"] == plain[case]["requests"]
        assert abs(told[case]["prompt_tokens"] - plain[case]["prompt_tokens"] - 100 * plain[case]["requests"]) <= 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--teacher", "openai:stub"], "teacher openai needs the address of its endpoint"),
        (["--teacher", "openai:", "--teacher-url", "http://127.0.0.1/v1"], "teacher openai needs the name of a model"),
        (["--teacher-url", "http://127.0.0.1/v1"], "params.teacher.openai belongs to no plug-in of this run"),
        (["--teacher", "openai:stub", "--teacher-url", "https://u:hunter2@host/v1"], "holds more than an address"),
        ([*AT, "--spend-limit", "much"], "give tokens"),
        ([*AT, "--spend-limit", "5 USD"], "needs the price of a token"),
        ([*AT, "--prices", "none.yaml"], "none.yaml: [Errno 2]"),
        (
            [*AT, "--set", "params.teacher.openai.tokenizer=/"],
            "/ has no tokenizer.json",
        ),
        (
            [*AT, "--set", "params.teacher.openai.api=completions", "--set", "teacher_chat.system=Hi"],
            "no effect on plain completions; drop it, or",
        ),
        ([*AT, "--set", 'params.teacher.openai.fields={"top_k": 1'], "params.teacher.openai.fields is not valid JSON"),
        (
            [*AT, "--set", 'params.teacher.openai.fields={"max_tokens": 1}'],
            "holds 'max_tokens', which readbench sets itself; set max_new_tokens",
        ),
        (
            [*AT, "--set", "params.teacher.openai.fields.top_k=1"],
            "is a group of settings, but a plug-in's parameter is one value; write it as",
        ),
        ([*AT, "--set", "params.teacher.openai.omit=stream"], "names 'stream', which readbench sets itself"),
        (["--teacher", "openai:stub", "--set", "endpoint.concurrency=0"], "endpoint.concurrency"),
        (["--teacher", "openai:stub", "--set", "endpoint.key_env=sk-hunter2"], "must be the name of an environment variable"),
        (["--teacher", "openai:stub", "--set", "endpoint.deadlin=3"], "did you mean 'deadline_seconds'?"),
    ],
)
def test_a_wrong_setting_costs_one_line_and_no_secret(readbench: Callable[..., Outcome], arguments: list[str], said: str) -> None:
    shown = readbench("run", *GRID, *arguments, "--dry-run")
    assert shown.code == 2
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert "hunter2" not in shown.err
