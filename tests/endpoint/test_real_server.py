"""The lab's teacher behind a real server (transformers serve) answers what it answers in this process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from readbench.api import Response
from readbench.models.folder import resolve_model
from readbench.models.text import ChatConfig
from readbench.runs.planning.estimate import sample_questions
from readbench.suites.suite import load_suite
from readbench.teachers.endpoint.request import make_endpoint
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.local import LocalTeacher
from readbench.teachers.spend.account import Account
from readbench.teachers.spend.ledger import FILE, SpendLedger, Spent, prepare_ledger
from readbench.teachers.spend.prices import Limit
from support.servers import free_port, started

pytestmark = pytest.mark.slow
TEACHER = resolve_model("lab/teacher")


@pytest.fixture
def prompts() -> list[str]:
    return [question.prompt for question in sample_questions(load_suite("multilingual"))]


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves a model folder; returns the server's address."""
    for package in ("openai", "fastapi", "uvicorn"):
        pytest.importorskip(package)
    servers: list[subprocess.Popen[bytes]] = []

    def start(model: Path) -> str:
        port = free_port()
        program = Path(sys.executable).parent / "transformers"
        command = [program, "serve", model, "--host", "127.0.0.1", "--port", port, "--device", "cpu"]
        servers.append(started(command, port, os.environ | {"HF_HUB_OFFLINE": "1"}))
        return f"http://127.0.0.1:{port}/v1"

    yield start
    for server in servers:
        server.terminate()
        server.wait()


@dataclass(frozen=True)
class Asked:
    """What a served model answered, what was kept of it, and what it cost."""

    answers: list[Response]
    kept: dict[str, object]
    spent: Spent


def ask(teacher: OpenAITeacher, prompts: list[str], run_dir: Path) -> Asked:
    prepare_ledger(run_dir)
    ledger = SpendLedger(run_dir / FILE, limit=Limit(tokens=100_000))
    kept: dict[str, object] = {}
    account = Account(
        run_dir=run_dir,
        settings=EndpointConfig(concurrency=2),
        ledger=ledger,
        student_path=resolve_model("lab/student"),
        keep=lambda answers, _: kept.update(answers),
        keep_scores=lambda *_: None,
    )
    teacher.open_account(account)
    answers = teacher.respond(prompts, max_new_tokens=32)
    spent = ledger.spent()
    ledger.close()
    return Asked(answers, kept, spent)


def test_a_served_teacher_answers_like_a_local_one_to_the_token(serve: Callable[[Path], str], prompts: list[str], tmp_path: Path) -> None:
    endpoint = make_endpoint(str(TEACHER), url=serve(TEACHER), api="completions", served_as=f"{TEACHER}@main", limit_field="max_tokens")
    asked = ask(OpenAITeacher(endpoint, tokenizer="lab/teacher"), prompts, tmp_path)
    assert asked.answers == LocalTeacher(TEACHER, device="cpu").respond(prompts, max_new_tokens=32)
    assert asked.kept == dict(zip(prompts, asked.answers, strict=True))
    assert (asked.spent.requests, asked.spent.in_doubt) == (len(prompts), 0)
    assert asked.spent.completion_tokens == sum(response.tokens for response in asked.answers)


def test_a_served_chat_is_spoken_to_like_a_local_one(serve: Callable[[Path], str], prompts: list[str], tmp_path: Path) -> None:
    model = shutil.copytree(TEACHER, tmp_path / "chat")
    (model / "chat_template.jinja").write_text("{% if first %}{{ messages[0].content }} {% endif %}{{ messages[-1].content }}\n")
    chat = ChatConfig(system="Say it twice.", template_args={"first": True})
    local = LocalTeacher(model, device="cpu")
    plain = local.respond(prompts, max_new_tokens=32)
    local = LocalTeacher(model, device="cpu")
    local.chat = chat
    endpoint = make_endpoint(str(model), url=serve(model), api="chat", served_as=f"{model}@main", limit_field="max_tokens", omit="seed")
    teacher = OpenAITeacher(endpoint, tokenizer=str(model))
    teacher.chat = chat
    asked = ask(teacher, prompts, tmp_path)
    assert asked.answers == local.respond(prompts, max_new_tokens=32)
    assert asked.answers != plain
