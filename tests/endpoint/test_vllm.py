"""A genuine vLLM serves the lab's teacher: its answers and scores are those of the local one, and so is what a run learns from them.

Another one writes a student's rollouts, with the weights that the student has after each step.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from readbench.api import Scored
from readbench.base.errors import ReadbenchError
from readbench.models.folder import load_causal_lm, load_tokenizer, resolve_model
from readbench.models.ranks import ALONE
from readbench.models.writing.generation import Written
from readbench.models.writing.sampling import Sampling
from readbench.runs.planning.estimate import sample_questions
from readbench.students.objectives.sft import sft
from readbench.students.schedule import LoraConfig, TrainingConfig
from readbench.students.student import Student
from readbench.suites.suite import load_suite
from readbench.teachers.local import LocalTeacher
from readbench.trials.environments.rollouts.served import ServedSampler
from readbench.trials.environments.rollouts.settings import SamplerConfig
from support.commands import Done, command
from support.servers import free_port, started

from .conftest import MODEL, Office

VLLM = os.environ.get("TEST_VLLM") or shutil.which("vllm")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(VLLM is None, reason="no vLLM here: name its command in TEST_VLLM")]
TEACHER = resolve_model("lab/teacher")
K = 5
SIZES = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "256", "--max-num-seqs", "8", "--gpu-memory-utilization", "0.2"]
# the build for CPUs: 1 GiB for its cache instead of half the memory, one thread
FOR_CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
TAKING_OVER = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}

Server = tuple[str, "subprocess.Popen[bytes]"]
Make = Callable[..., Office]


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a vLLM at a port: its address and its process."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(port: str, model: Path = TEACHER, *more: str) -> Server:
        assert VLLM is not None
        line = [VLLM, "serve", model, *more, "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", port, *SIZES]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        servers.append(started(line, port, environment | FOR_CPU | TAKING_OVER))
        return f"http://127.0.0.1:{port}/v1", servers[-1]

    yield start
    for server in servers:
        kill(server)


def kill(server: "subprocess.Popen[bytes]") -> None:
    """Ends a server with its engine's processes."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.fixture(scope="module")
def url(serve: Callable[..., Server]) -> str:
    return serve(free_port())[0]


@pytest.fixture(scope="module")
def local() -> LocalTeacher:
    return LocalTeacher(TEACHER, device="cpu")


@pytest.fixture
def office(tmp_path: Path, url: str) -> Iterator[Make]:  # the same as with the stub, with a vLLM in its place
    made: list[Office] = []

    def make(**more: Any) -> Office:
        made.append(Office(tmp_path, url, params={"api": "completions"}, scores="vllm", deadline_seconds=60.0, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def prompts(suite: str = "multilingual") -> list[str]:
    return [question.prompt for question in sample_questions(load_suite(suite))]


def sequences(local: LocalTeacher) -> list[Any]:
    """What the teacher knows well, what nobody would say, the same beginnings again, and as long as it can be."""
    said = [local.model.encode(prompt, "12 or so") for prompt in prompts()[:24]]
    noise = np.random.default_rng(0).integers(0, 256, (6, 255))
    mixed = [type(said[0])(tuple(map(int, row[:size])), 3) for row, size in zip(noise, (4, 17, 128, 129, 255, 255), strict=True)]
    return [*said, *mixed]


def test_answers_and_counts_are_those_of_the_local_teacher(office: Make, local: LocalTeacher) -> None:
    made = office()
    answers = made.ask(*prompts(), max_new_tokens=32)
    assert answers == local.respond(prompts(), max_new_tokens=32)
    spent = made.ledger.spent()
    assert (spent.requests, spent.in_doubt) == (len(set(prompts())), 0)
    assert spent.completion_tokens == sum(answer.tokens for _, answer in dict(zip(prompts(), answers, strict=True)).items())


def test_scores_are_those_of_the_local_teacher(office: Make, local: LocalTeacher) -> None:
    examples = sequences(local)
    asked: list[Scored] = [(example.tokens, example.prompt_length) for example in examples]
    for found, wanted in zip(office().score(*asked), local.model.label_log_probabilities(examples), strict=True):
        assert np.abs(found - wanted).max() < 1e-3
    for found, wanted in zip(office().top(*asked, k=K), local.model.label_top(examples, K), strict=True):
        assert np.abs(found[:, K : 2 * K] - wanted[:, K : 2 * K]).max() < 1e-3
        apart = np.diff(wanted[:, K : 2 * K], axis=1) < -1e-3  # of near ties the order is nobody's
        clear = np.pad(apart, ((0, 0), (1, 0)), constant_values=True)[:, :-1] & apart
        assert (found[:, : K - 1][clear] == wanted[:, : K - 1][clear]).all()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda made: made.ask("x" * 300), "maximum context length is 256 tokens"),
        (lambda made: made.ask("x" * 230, max_new_tokens=32), "it cut an answer off after 25 of 32 tokens"),
        (lambda made: made.score((tuple(range(256)), 3)), "--max-model-len"),
        (lambda made: made.top(((1, 2, 3), 1), k=21), "--max-logprobs"),
    ],
    ids=["the prompt is too long", "no room for the answer", "no room for a token to generate", "more than --max-logprobs"],
)
def test_what_it_cannot_do_is_one_line_that_says_what_helps(office: Make, ask: Callable[[Office], Any], said: str) -> None:
    with pytest.raises(ReadbenchError) as raised:
        ask(office())
    assert said in str(raised.value)


def run(folder: Path, name: str, *flags: object) -> Done:
    grid = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "6000", "--intervals", "2"]
    sets = [f"--set={each}" for each in ("executor=inline", "num_probes=9", "num_dev=9", "max_new_tokens=32")]
    return command("run", *grid, *sets, "--out", name, *flags, folder=folder)


def of(url: str, model: str = MODEL) -> list[str]:
    params = ("api=completions", "scores=vllm", "tokenizer=lab/teacher")
    return ["--teacher", f"openai:{model}", "--teacher-url", url, *(f"--set=params.teacher.openai.{each}" for each in params)]


def test_another_models_name_is_refused_with_the_one_that_is_served(url: str, tmp_path: Path) -> None:
    done = run(tmp_path, "run", *of(url, "other"))
    assert done.returncode == 2
    assert f"it serves {MODEL}, not other" in done.stderr


@pytest.mark.parametrize("objective", ["sft", "rlad", "top-k"])
def test_a_run_learns_what_it_learns_from_the_local_teacher(objective: str, url: str, tmp_path: Path) -> None:
    for name, flags in (("served", of(url)), ("local", ["--teacher", "lab/teacher"])):
        done = run(tmp_path, name, "--objective", objective, *flags)
        assert done.returncode == 0, done.stderr
    served, local = (json.loads((tmp_path / name / "results.json").read_text())["trials"][0] for name in ("served", "local"))
    if objective == "sft":
        assert served["intervals"] == local["intervals"]  # to the last bit
        assert served["metrics"] == local["metrics"]
    first, wanted = (each["intervals"][0]["train_loss"] for each in (served, local))  # later samples may turn on a rounding
    assert first == pytest.approx(wanted, rel=1e-3)


def test_a_server_that_dies_and_comes_back_changes_no_answer(serve: Callable[..., Server], office: Make, local: LocalTeacher) -> None:
    port = free_port()
    second, process = serve(port)
    made = office(replicas=(second,), attempts=6)
    asked = list(dict.fromkeys(prompts()))
    for part in range(3):
        some = asked[part::3]
        assert made.ask(*some, max_new_tokens=32) == local.respond(some, max_new_tokens=32)
        if part == 0:
            kill(process)
        elif part == 1:
            assert made.ledger.spent().in_doubt == 0  # a connection that is refused costs nothing
            serve(port)
    metrics = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/metrics", timeout=30).read()
    answered = re.findall(rb"^vllm:request_success_total{.*} (.+)$", metrics, re.MULTILINE)
    assert sum(map(float, answered)) > 0


# --- a student's rollouts ---

DRAWING = Sampling(temperature=0.8, top_p=0.9)
WHOLE = TrainingConfig(learning_rate=3e-3, warmup_share=0.0)
ADAPTER = TrainingConfig(learning_rate=3e-2, warmup_share=0.0, lora=LoraConfig(rank=4))


def copy_of_teacher(folder: Path, *, tied: bool) -> Path:
    """The lab's teacher as a student: vLLM's attention on a CPU takes no heads as narrow as the lab's student has."""
    teacher = load_causal_lm(TEACHER, "cpu")
    network = LlamaForCausalLM(LlamaConfig(**{**teacher.config.to_dict(), "tie_word_embeddings": tied}))
    network.load_state_dict({**teacher.state_dict(), "lm_head.weight": teacher.get_input_embeddings().weight})  # type: ignore[no-untyped-call]
    network.save_pretrained(folder)
    load_tokenizer(TEACHER).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_teacher(tmp_path_factory.mktemp("models") / "student", tied=False)


@pytest.fixture(scope="module")
def sampler_url(serve: Callable[..., Server], untied: Path) -> str:
    return serve(free_port(), untied, "--enable-lora", "--max-lora-rank", "8")[0]


def rollouts(url: str, student: Student, folder: Path, **more: Any) -> ServedSampler:
    config = SamplerConfig(**{"url": url, "folder": str(folder), "tolerance": 1e-3} | more)
    return ServedSampler(student.model, config, steps_done=student.steps_done, ranks=ALONE)


def student_of(path: Path, training: TrainingConfig) -> Student:
    return Student.load(path, training=training, objective=sft(), device="cpu")


def drawn(sampler: ServedSampler, student: Student, count: int = 24) -> list[Written]:
    asked = student.model.render(prompts()[:count])
    return sampler.sample(asked, range(len(asked)), sampling=DRAWING, max_new_tokens=12)


def shift(student: Student) -> None:
    """A step that changes what the student says."""
    student.train([student.model.encode(prompt, "zzzz") for prompt in prompts()[:24]], progress=(0.3, 0.4), seed=0)


@pytest.mark.parametrize("training", [ADAPTER, WHOLE], ids=["adapter", "whole"])  # the second changes what an adapter is added to
def test_a_server_writes_with_the_weights_of_now(training: TrainingConfig, sampler_url: str, untied: Path, tmp_path: Path) -> None:
    student = student_of(untied, training)
    sampler = rollouts(sampler_url, student, tmp_path / "weights")
    first = drawn(sampler, student)
    for _ in range(3):
        shift(student)
        later = drawn(sampler, student)  # compared with the student's own log-probabilities
    assert [each.ids for each in later] != [each.ids for each in first]
    assert sum("z" in each.text for each in later) > sum("z" in each.text for each in first)
    total, tokens = sampler.figures()["sampler_gap"]
    assert tokens >= len(later)
    assert total / tokens < 1e-3
    assert all(each.finished == (each.ids[-1] == student.model.tokenizer.eos_token_id) for each in later)
    assert drawn(sampler, student) == later  # the same seeds, one server, the same batch


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU vLLM takes a tied head over")
def test_a_tied_head_that_is_not_taken_over_is_noticed(serve: Callable[..., Server], tmp_path: Path) -> None:
    tied = copy_of_teacher(tmp_path / "tied", tied=True)
    student = student_of(tied, WHOLE)
    sampler = rollouts(serve(free_port(), tied)[0], student, tmp_path / "weights")
    drawn(sampler, student)
    shift(student)
    with pytest.raises(ReadbenchError, match="holds other weights than the student"):  # the build for CPUs keeps the old head
        drawn(sampler, student)


def test_a_run_has_its_rollouts_from_a_server(sampler_url: str, untied: Path, tmp_path: Path) -> None:
    flags = ["--objective", "on-policy-kl", "--student", untied, "--set=params.objective.on-policy-kl.sampler=vllm"]
    done = run(tmp_path, "run", *flags, f"--set=sampler.url={sampler_url}", "--set=sampler.tolerance=0.001")
    assert done.returncode == 0, done.stderr
    (trial,) = json.loads((tmp_path / "run" / "results.json").read_text())["trials"]
    assert trial["status"] == "complete"
    assert all(0.0 <= interval["figures"]["sampler_gap"] < 1e-3 for interval in trial["intervals"])
    assert sum(interval["tokens"]["rollout"] for interval in trial["intervals"]) > 0
