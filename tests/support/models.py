"""Tiny randomly initialised models of three families, with a byte tokenizer, made on the spot."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel

CONTEXT = 96
WORDS = ("sums", "programs", "capitals", "translation", "files", "and", "of", "the")
PAIRS = [("2+2=", "4"), ("a longer prompt of many words", "and answer"), ("x", "yz"), ("what is what?", "it is it"), ("q?", "")]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    symbols = ["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>")  # noqa: S106 — no passwords


def random_model(family: str) -> PreTrainedModel:
    torch.manual_seed(7)
    size = {"vocab_size": 258, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    common = {**size, "max_position_embeddings": CONTEXT, "eos_token_id": 1, "bos_token_id": None, "pad_token_id": 0}
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**common, tie_word_embeddings=True))
    if family == "qwen2":  # large weights, so that answers differ from prompt to prompt
        return Qwen2ForCausalLM(Qwen2Config(**common, num_key_value_heads=4, tie_word_embeddings=False, initializer_range=0.3))
    if family == "gemma2":  # caps its logits after the head
        return Gemma2ForCausalLM(Gemma2Config(**common, num_key_value_heads=2, head_dim=8, final_logit_softcapping=5.0))
    config = GPT2Config(vocab_size=258, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, eos_token_id=1, bos_token_id=1)
    return GPT2LMHeadModel(config)  # with dropout 0.1


def plain_log_probabilities(model: LanguageModel, example: Encoded) -> torch.Tensor:
    """(labels,) by a full forward of the one unpadded sequence, without a fast path."""
    logits = model.network(input_ids=torch.tensor([example.tokens])).logits[0, :-1].log_softmax(-1)
    every = logits.gather(1, torch.tensor(example.tokens[1:])[:, None])[:, 0]
    return every[example.prompt_length - 1 :]


def write_encoder(folder: Path) -> None:
    """A random BERT over a few words."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8}
    BertModel(BertConfig(vocab_size=32, **shape)).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(("[UNK]", *WORDS))}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[UNK]").save_pretrained(folder)  # noqa: S106


def write_long_llama(folder: Path, seed: int) -> None:
    """A random Llama over bytes with room for prompts in plain language."""
    torch.manual_seed(seed)
    size = {"vocab_size": 258, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    ends = {"eos_token_id": 1, "bos_token_id": None, "pad_token_id": 0}
    LlamaForCausalLM(LlamaConfig(**size, **ends, max_position_embeddings=4096, initializer_range=0.3)).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
