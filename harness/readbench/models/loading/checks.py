"""Checks a loaded model before its numbers are trusted: a row for every token, finite weights, no look-ahead."""

from typing import TYPE_CHECKING, Any

import torch

from readbench.base.errors import ConfigError
from readbench.models.text import render, turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LENGTH = 8  # tokens in the sequences that test causality


def check_loaded(network: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """ConfigError in one line for anything that would give wrong numbers or crash in the middle of a run."""
    name = str(network.name_or_path)
    _check_rows(network, tokenizer, name)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
        raise ConfigError(f"model {name} has weights that are not finite", hint="its weights are damaged: save or download it again")
    _check_causal(network, name)


def _rows(network: "PreTrainedModel") -> int:
    embedding: Any = network.get_input_embeddings()
    return int(embedding.weight.shape[0])


def _check_rows(network: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Every token from text, template or end of turn needs an embedding row."""
    rows = _rows(network)
    needed = {tokenizer.vocab_size - 1, int(tokenizer.eos_token_id), turn_end(tokenizer), *render(tokenizer, "question")}
    beyond = sorted(token for token in needed if token >= rows)
    if beyond:
        raise ConfigError(
            f"model {name} has no embedding for token ids {', '.join(map(str, beyond[:4]))}: it has {rows} rows",
            hint="resize the embedding to the tokenizer (resize_token_embeddings) and save the model again",
        )


def _check_causal(network: "PreTrainedModel", name: str) -> None:
    """A later token must not change an earlier prediction: a model that sees the answer cannot be scored."""
    rows = _rows(network)
    half = _LENGTH // 2
    first = [(rows // 3 + 3 * place) % rows for place in range(_LENGTH)]
    second = [*first[:half], *((token + rows // 2) % rows for token in first[half:])]
    with torch.inference_mode():
        logits = network(input_ids=torch.tensor([first, second], device=network.device), use_cache=False).logits[:, :half].float()
    if not torch.allclose(logits[0], logits[1], rtol=1e-3, atol=1e-3 * float(logits.abs().max())):
        raise ConfigError(
            f"model {name} is not a causal language model: later tokens change its earlier predictions", hint="give one that is"
        )
