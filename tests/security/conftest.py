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
from support.suites import suite_text, write_suite


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


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A sound suite folder, for a test to make unsound."""
    test = [{"prompt": f"question {n}?", "answer": str(n), "meta": str(n)} for n in range(40, 60)]
    folder = write_suite(tmp_path / "suite", suite_text(name="strangers", manual="jsonl: manual.jsonl, weight: 1"), test=test)
    lines = [json.dumps({"prompt": f"question {n}?", "answer": str(n), "factors": {"n": n}}) for n in range(40)]
    (folder / "manual.jsonl").write_text("\n".join(lines))
    return folder
