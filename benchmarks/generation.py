"""Tokens a second of greedy generation, against `transformers.generate` with left padding, in one thread.

    python benchmarks/generation.py [--model FOLDER] [--rounds 5]

24 prompts of mixed lengths (about 30 to 60 tokens), 16 new tokens. Both take turns; a ratio above 1 means that readbench is faster. Also
printed is the share of rows with a near tie, which is decided alone. Without --model: random Qwen2, GPT-2,
Gemma-2 and Mamba models of a few million weights over bytes, and the lab's teacher.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.runs.studies.lab import write_tokenizer

WORDS = ["the", "sea", "and", "a", "boat", "went", "over", "small", "hills", "while", "three", "birds", "sang", "about", "rain"]
NUM_PROMPTS, NEW_TOKENS = 24, 16


def random_models(vocabulary: int, end: int) -> dict[str, Callable[[], PreTrainedModel]]:
    shape: dict[str, Any] = {"vocab_size": vocabulary, "eos_token_id": end, "pad_token_id": end, "bos_token_id": None}
    size = {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8, "intermediate_size": 704, "initializer_range": 0.1}
    return {
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**shape, **size, num_key_value_heads=4)),
        "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**shape, **size, num_key_value_heads=4, head_dim=32)),
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**shape, n_embd=256, n_layer=6, n_head=8, initializer_range=0.1)),
        "mamba": lambda: MambaForCausalLM(MambaConfig(**shape, hidden_size=256, num_hidden_layers=6, initializer_range=0.3)),
    }


def prompts_of(count: int, words: tuple[int, int]) -> list[str]:
    rng = random.Random(0)
    return [f"{n}: " + " ".join(rng.choices(WORDS, k=rng.randint(*words))) for n in range(count)]


def library(model: LanguageModel, rendered: list[tuple[int, ...]]) -> int:
    """The tokens that transformers.generate writes, without what follows an end."""
    width, pad = max(map(len, rendered)), model.tokenizer.pad_token_id or model.tokenizer.eos_token_id or 0
    inputs = torch.tensor([[pad] * (width - len(ids)) + list(ids) for ids in rendered])
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in rendered])
    written = model.network.generate(  # type: ignore[operator]
        input_ids=inputs, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=pad
    )[:, width:]
    return int((written != pad).sum())


def measure(name: str, folder: Path, prompts: list[str], rounds: int) -> None:
    model = LanguageModel.load(folder, device="cpu")
    rendered, writer = model.render(prompts), model.writer()
    speeds: dict[str, list[float]] = {"readbench": [], "transformers": []}
    for _ in range(rounds + 1):  # the first one warms up
        for which, write in (
            ("readbench", lambda: sum(answer.tokens for answer in writer.respond(rendered, max_new_tokens=NEW_TOKENS))),
            ("transformers", lambda: library(model, rendered)),
        ):
            began = time.perf_counter()
            tokens = write()
            speeds[which].append(tokens / (time.perf_counter() - began))
    ours, theirs = (statistics.median(speeds[which][1:]) for which in ("readbench", "transformers"))
    with torch.inference_mode():
        rows = writer._decode([(ids, 0) for ids in sorted(set(rendered), key=len)], 0, NEW_TOKENS, None) if writer.decoder.mixes else []
    tied = sum(bool(row.ties) for row in rows) / max(len(rows), 1)
    kind = f"{type(writer.decoder).__name__}{'' if writer.decoder.mixes else ', by length'}"
    print(f"| {name} | {kind} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {tied:.1%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | decoder | readbench, tokens/s | transformers, tokens/s | ratio | rows with a near tie |\n|---|---|---|---|---|---|")
    if arguments.model is not None:
        measure(arguments.model.name, arguments.model, prompts_of(NUM_PROMPTS, (20, 45)), arguments.rounds)
        return
    measure("lab/teacher", resolve_model("lab/teacher"), prompts_of(NUM_PROMPTS, (3, 8)), arguments.rounds)
    with tempfile.TemporaryDirectory() as base:
        tokenizer = write_tokenizer(Path(base))
        for name, make in random_models(len(tokenizer), tokenizer.eos_token_id or 0).items():
            torch.manual_seed(0)
            folder = Path(base) / name
            make().save_pretrained(folder)
            write_tokenizer(folder)
            measure(name, folder, prompts_of(NUM_PROMPTS, (5, 10)), arguments.rounds)


if __name__ == "__main__":
    main()
