"""The command line as a user calls it, and a model folder that looks like one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from readbench.views.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def readbench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Config, tokenizer and weights of a model folder: as much as is looked at before anything is loaded."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 256}))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"weight": np.zeros((4, 4), dtype=np.float32)}, folder / "model.safetensors")
    return folder


SUITE = """
schema: 1
name: strangers
version: 1
summary: A stranger's suite.
card: Found on the net.
capabilities:
  manual: {jsonl: manual.jsonl, weight: 1}
test: {task: task.yaml}
"""
TASK = """
task: strangers
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A sound suite folder, for a test to make unsound."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "task.yaml").write_text(TASK)
    lines = [json.dumps({"prompt": f"question {n}?", "answer": str(n), "factors": {"n": n}}) for n in range(60)]
    (folder / "manual.jsonl").write_text("\n".join(lines[:40]))
    (folder / "test.jsonl").write_text("\n".join(line.replace(', "factors"', ', "meta"') for line in lines[40:]))
    return folder
