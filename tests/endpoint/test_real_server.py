"""The lab's teacher behind a real server (transformers serve) answers what it answers in this process."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from readbench.models.folder import resolve_model
from readbench.runs.estimate import sample_questions
from readbench.suites.suite import load_suite
from readbench.teachers.endpoint.asking import make_endpoint
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.spend.account import Account
from readbench.teachers.spend.ledger import FILE, SpendLedger, prepare_ledger
from readbench.teachers.spend.prices import Limit

pytestmark = pytest.mark.slow
TEACHER = resolve_model("lab/teacher")
START_SECONDS = 120


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    for package in ("openai", "fastapi", "uvicorn"):
        pytest.importorskip(package)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        Path(sys.executable).parent / "transformers",
        "serve",
        TEACHER,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(START_SECONDS):
        assert server.poll() is None, "the server has ended"
        try:
            opener.open(address, timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return
    pytest.fail("the server does not answer")


def test_a_served_teacher_answers_like_a_local_one_to_the_token(url: str, tmp_path: Path) -> None:
    from readbench.teachers.local import LocalTeacher

    prompts = [question.prompt for question in sample_questions(load_suite("reasoning"))]
    endpoint = make_endpoint(str(TEACHER), url=url, api="completions", served_as=f"{TEACHER}@main", limit_field="max_tokens")
    teacher = OpenAITeacher(endpoint, tokenizer="lab/teacher")
    prepare_ledger(tmp_path)
    ledger = SpendLedger(tmp_path / FILE, limit=Limit(tokens=100_000))
    kept: dict[str, object] = {}
    account = Account(
        run_dir=tmp_path,
        settings=EndpointConfig(concurrency=2),
        ledger=ledger,
        student_path=resolve_model("lab/student"),
        keep=lambda answers, _: kept.update(answers),
    )
    teacher.open_account(account)
    served = teacher.respond(prompts, max_new_tokens=32)
    assert served == LocalTeacher(TEACHER, device="cpu").respond(prompts, max_new_tokens=32)
    assert kept == dict(zip(prompts, served, strict=True))
    spent = ledger.spent()
    assert (spent.requests, spent.in_doubt) == (len(prompts), 0)
    assert spent.completion_tokens == sum(response.tokens for response in served)
    ledger.close()
