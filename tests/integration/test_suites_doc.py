"""The suite that docs/suites.md writes, with its own commands, on models of a few thousand weights."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from readbench.models.folder import load_tokenizer, resolve_model
from readbench.results.document.reading import load
from readbench.suites.suite import load_suite

DOC = (Path(__file__).parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOC, flags=re.DOTALL | re.MULTILINE)


def readbench(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "readbench", *arguments], cwd=where, capture_output=True, text=True, check=False)


def command_of(name: str) -> list[str]:
    """The page's command that begins so, without its program."""
    (line,) = {line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.startswith(f"readbench {name}")}
    return line.split()[1:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files: its one question, in many numbers, and its suite; and a random teacher and student with room for its prompts."""
    where = tmp_path_factory.mktemp("site")
    folder = where / "machine"
    folder.mkdir()
    (suite,) = [block for kind, block in BLOCKS if kind == "yaml" and block.startswith("# machine/suite.yaml")]
    (folder / "suite.yaml").write_text(suite, encoding="utf-8")
    (line,) = [block for kind, block in BLOCKS if kind == "json"]
    lines = [json.loads(line.replace("E4", f"E{n}").replace("filter", f"filter {n}")) for n in range(400)]
    (folder / "manual.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    for seed, name in enumerate(("my-teacher", "my-student")):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=258,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=1024,
            initializer_range=0.3,
        )
        config.bos_token_id, config.eos_token_id, config.pad_token_id = None, 0, 1
        LlamaForCausalLM(config).save_pretrained(where / name)
        load_tokenizer(resolve_model("lab/student")).save_pretrained(where / name)
    done = readbench(where, *command_of("suite test-set machine"))
    assert (done.returncode, done.stderr) == (0, f"{(folder / 'test.jsonl').resolve()}: 60 questions\n")
    return where


def test_the_test_set_follows_the_weights_and_asks_what_is_never_taught(site: Path) -> None:
    suite = load_suite(str(site / "machine"))
    questions, _ = suite.test_questions()
    assert len(questions) == 60
    assert [sum(q.verifier == name for q in questions) for name in ("regex", "gym")] == [40, 20]


def test_the_suite_shows_what_it_asks(site: Path) -> None:
    shown = readbench(site, *command_of("suite show machine")).stdout
    for text in (
        "manual (67% of the task), easy, verifier regex",
        "sums (33% of the task), hard, verifier gym",
        "tables (not in the task)",
    ):
        assert text in shown
    rows = json.loads(readbench(site, *command_of("suite show machine"), "--json").stdout)
    assert [row["difficulty"] for row in rows] == ["easy", "medium", "hard"] * 3
    assert [row["verifier"] for row in rows if row["capability"] != "tables"] == ["regex"] * 3 + ["gym"] * 3


def test_the_run_measures_what_is_written_and_shows_answers_that_never_verify(site: Path) -> None:
    dry = readbench(site, *command_of("run --suite machine"))
    assert dry.returncode == 0, dry.stderr
    command = [part for part in command_of("run --suite machine") if part not in ("--dry-run", "--budget", "200000")]
    small = [
        "--budget",
        "20000",
        "--intervals",
        "2",
        "--allocators",
        "uniform",
        "--seeds",
        "1",
        "--set",
        "max_new_tokens=16",
        "--out",
        "run",
    ]
    done = readbench(
        site, *command, *small, *(f"--set={each}" for each in ("max_new_tokens=16", "num_probes=6", "num_dev=6", "executor=inline"))
    )
    assert done.returncode == 0, done.stderr
    results = load(site / "run" / "results.json")
    (trial,) = results.complete
    assert trial.metrics.utility == 0  # of a model of random weights
    for interval in trial.intervals:
        assert interval.verified == dict.fromkeys(("manual", "sums", "tables"), 0)
        assert all(len(answers) <= 3 for answers in interval.unverified.values())
    assert "answers verify (manual 0%, sums 0%, tables 0%)" in done.stderr + done.stdout
    count = sum(interval.examples["sums"] for interval in trial.intervals)
    assert f"warning: none of the teacher's {count} answers to sums verifies, such as " in done.stderr + done.stdout
