"""A model whose numbers could not be believed is refused when it is loaded."""

import pytest
import torch

from readbench.base.errors import ConfigError
from readbench.models.loading.checks import check_loaded
from support.models import byte_tokenizer, random_model


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "gpt2"])
def test_a_sound_model_passes(family: str) -> None:
    check_loaded(random_model(family).eval(), byte_tokenizer())


def test_a_token_without_a_row_is_named_with_the_size_of_the_embedding() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<|end|>"})
    with pytest.raises(ConfigError, match="no embedding for token ids 258: it has 258 rows"):
        check_loaded(random_model("llama").eval(), tokenizer)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    network = random_model("llama").eval()
    with torch.no_grad():
        network.get_output_embeddings().weight[3, 1] = torch.nan
    with pytest.raises(ConfigError, match="weights that are not finite"):
        check_loaded(network, byte_tokenizer())


def test_a_model_that_sees_later_tokens_is_refused() -> None:
    network = random_model("llama").eval()
    for layer in network.base_model.layers:
        layer.self_attn.is_causal = False
    with pytest.raises(ConfigError, match="is not a causal language model"):
        check_loaded(network, byte_tokenizer())
