"""A student trained by two ranks (Gloo on the CPU): the trial of one rank, to rounding; what one rank's death leaves is resumed by one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from readbench.models.folder import load_tokenizer, resolve_model
from readbench.trials.record.trial_file import read_trial
from support.commands import command
from support.sampler import SamplerStub

OWN = ("--objective", "jsd", "--set", "params.objective.jsd.own_share=0.5", "--set", "max_new_tokens=16")
OWN += ("--set", "training.micro_tokens=300")
SMALL = ("--suite", "multilingual", "--seeds", "1", "--intervals", "4", "--set", "num_probes=8", "--set", "num_dev=8")


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama with shared keys: one rank computes it by the library's forward too."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("models") / "student"
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    tokenizer = load_tokenizer(resolve_model("lab/student"))
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ranks(count: int, *arguments: object) -> subprocess.Popen[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m", "readbench"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*launcher, *map(str, arguments)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    )


def results(run_dir: Path) -> Any:
    return json.loads((run_dir / "results.json").read_text())["trials"]


def test_a_server_writes_for_two_ranks_what_they_write_themselves(student: Path, tmp_path: Path) -> None:
    """Twice a round with one set of weights: prompts that nobody solves are asked again with a hint."""
    given = (*SMALL, "--objective", "grpo", "--set", "params.objective.grpo.hint=0.5", "--set", "max_new_tokens=16")
    given = (*given, "--allocators", "uniform", "--student", student, "--budget", "8000")
    served, stub = ("--set", "params.objective.grpo.sampler=vllm"), SamplerStub(student)
    try:
        for name, flags in (("served", (*served, "--set", f"sampler.url={stub.url}")), ("own", ())):
            together = ranks(2, "run", *given, *flags, "--out", tmp_path / name)
            _, errors = together.communicate(timeout=200)
            assert together.returncode == 0, errors
    finally:
        stub.close()
    (one,), (two,) = results(tmp_path / "served"), results(tmp_path / "own")
    assert 0 < stub.paths().count("/collective_rpc") <= len(stub.paths()) / 4
    gaps = [each["figures"].pop("sampler_gap") for each in one["intervals"] if each["figures"]]  # an interval may buy no group
    assert gaps
    assert max(gaps) < 1e-3
    assert one["intervals"] == two["intervals"]


def test_two_ranks_train_the_student_that_one_trains(student: Path, tmp_path: Path) -> None:
    """On the teacher's answers and on its own, in micro-batches."""
    given = (*SMALL, *OWN, "--allocators", "uniform", "--student", student, "--budget", "12000")
    alone = command("run", *given, "--out", tmp_path / "one")
    assert alone.returncode == 0, alone.stderr
    together = ranks(2, "run", *given, "--out", tmp_path / "two")
    _, errors = together.communicate(timeout=200)
    assert together.returncode == 0, errors
    (one,), (two,) = results(tmp_path / "one"), results(tmp_path / "two")
    assert one["id"] == two["id"]
    assert one["tokens"] == two["tokens"]
    for first, second in zip(one["intervals"], two["intervals"], strict=True):
        assert (first["allocation"], first["tokens"]) == (second["allocation"], second["tokens"])
        for key, value in first["profile"].items():
            assert second["profile"][key] == pytest.approx(value, abs=1e-3)
    weights = [load_file(tmp_path / name / "trials" / one["id"] / "student" / "model.safetensors") for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=1e-5)
    untrained = load_file(student / "model.safetensors")
    assert max((weights[0][name] - tensor).abs().max().item() for name, tensor in untrained.items()) > 1e-3


def test_a_dead_rank_stops_the_run_and_one_rank_resumes_it(student: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    given = (*SMALL, "--allocators", "uniform", "--student", student, "--budget", "60000")
    together = ranks(2, "run", *given, "--out", run_dir)
    for _ in range(2000):
        if list(run_dir.glob("trials/*/checkpoints/*.safetensors")):
            break
        time.sleep(0.05)
    second = next(child for child in psutil.Process(together.pid).children() if child.environ().get("RANK") == "1")
    second.send_signal(signal.SIGKILL)
    _, errors = together.communicate(timeout=100)
    assert together.returncode != 0
    (trial,) = run_dir.glob("trials/*")
    committed = len(read_trial(trial).intervals)
    assert read_trial(trial).status == "incomplete", errors
    assert committed >= 1
    refused = command("resume", run_dir)
    assert refused.returncode == 2
    assert "where other bits are computed (ranks 2, now None)" in refused.stderr
    resumed = command("resume", run_dir, "--allow-drift")
    assert resumed.returncode == 0, resumed.stderr
    record = read_trial(trial)
    assert record.status == "complete"
    assert len(record.intervals) == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--set", "training.lora.rank=4"), "training.lora.rank is for one rank, and torchrun started 2"),
        (("--set", "training.optimizer=adamw-8bit"), "training.optimizer is for one rank"),
        (("--set", "training.compile=true"), "training.compile is for one rank"),
        (("--set", "training.step_tokens=30"), "which do not divide among 2 ranks"),
        (("--executor", "ray"), "executor ray is another way"),
    ],
)
def test_what_ranks_do_not_do_is_refused(settings: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = command("run", *SMALL, "--allocators", "uniform", *settings, "--dry-run")
    assert outcome.returncode == 2
    assert said in outcome.stderr


@pytest.mark.parametrize(("rank", "world"), [("2", "2"), ("-1", "2"), ("a", "2"), ("0", "none")])
def test_ranks_that_are_none(rank: str, world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    outcome = command("run", *SMALL, "--out", tmp_path / "run")
    assert outcome.returncode == 2
    assert outcome.stderr.count("\n") == 1
    assert "torchrun sets them" in outcome.stderr


def test_other_commands_are_for_one_process_and_one_rank_shows_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    for refused in (("pilot", "--suite", "reasoning"), ("list", "suites"), ("plan", "--suite", "reasoning", "--hardware", "a100")):
        outcome = command(*refused)
        assert outcome.returncode == 2
        assert "in run and resume alone; start it without torchrun" in outcome.stderr
    shown = ("run", *SMALL, "--allocators", "uniform", "--dry-run")
    assert command(*shown).stdout == ""
    monkeypatch.setenv("RANK", "0")
    assert "memory of a trial" in command(*shown).stdout
