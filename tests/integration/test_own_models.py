import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from readbench.suites.suite import load_suite


def bpe(vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained here on the suite's own questions."""
    rng = random.Random(0)
    questions = [source.sample(rng, 1) for source in load_suite("multilingual").sources() for _ in range(100)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text for q in questions for text in (q.prompt, q.answer)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>")  # noqa: S106


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        eos_token_id=0,
        bos_token_id=0,
    )
    return save(Qwen2ForCausalLM(config), bpe(400), tmp_path_factory.mktemp("models") / "qwen2")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=128, eos_token_id=0, bos_token_id=0)
    return save(GPT2LMHeadModel(config), bpe(320), tmp_path_factory.mktemp("models") / "gpt2")


def test_teacher_and_student_of_other_architectures_and_vocabularies_run(qwen2: Path, gpt2: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    command = [sys.executable, "-m", "readbench", "run", "--suite", "multilingual", "--teacher", str(qwen2), "--student", str(gpt2)]
    options = [
        "--allocators",
        "gap",
        "--seeds",
        "1",
        "--budget",
        "6000",
        "--intervals",
        "2",
        "--set",
        "max_new_tokens=8",
        "--set",
        "executor=inline",
        "--out",
        str(run_dir),
    ]
    done = subprocess.run([*command, *options, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning: suite multilingual asks in the lab's shorthand over bytes" in done.stderr
    (trial,) = json.loads(done.stdout)["trials"]
    assert trial["status"] == "complete"
    assert 0.97 * 6000 <= trial["tokens"]["generated"] + trial["tokens"]["trained"] <= 6000
    before, after = GPT2LMHeadModel.from_pretrained(gpt2), GPT2LMHeadModel.from_pretrained(run_dir / "trials" / trial["id"] / "student")
    assert not torch.equal(before.transformer.wte.weight, after.transformer.wte.weight)
