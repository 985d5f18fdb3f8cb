"""The fused weights: the products of the library's own modules, and gradients for the library's own parameters."""

from typing import Any

import pytest
import torch

from readbench.models.lean.kernels import normal
from readbench.models.lean.weights import attention_weights, gated_weights, head_weights
from support.models import random_model


def library_products(model: Any, x: torch.Tensor) -> torch.Tensor:
    """Queries, keys, values, gate, up and logits, each by a module of its own."""
    layer = model.base_model.layers[0]
    before, after = layer.input_layernorm(x), layer.post_attention_layernorm(x)
    projections = [each(before) for each in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)]
    head = model.get_output_embeddings()(model.base_model.norm(x))
    return torch.cat([*projections, layer.mlp.gate_proj(after), layer.mlp.up_proj(after), head], -1)


def fused_products(model: Any, x: torch.Tensor) -> torch.Tensor:
    layer = model.base_model.layers[0]
    attention, gated, head = attention_weights(layer), gated_weights(layer), head_weights(model)
    before, after, last = (normal(x, weights.epsilon)[0] for weights in (attention, gated, head))
    projections = torch.nn.functional.linear(before, attention.project, attention.bias)
    return torch.cat((projections, after @ gated.gate_up.t(), last @ head.weight.t()), -1)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_fused_weights_give_the_products_and_the_gradients_of_the_modules(family: str) -> None:
    model = random_model(family)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("bias"):  # 1 and 0 in a new model: any order of them would do
                parameter.copy_(torch.rand(parameter.shape, generator=generator) + 0.5)
    x = torch.randn(7, 32, generator=generator)
    found, gradients = [], []
    for products in (library_products, fused_products):
        model.zero_grad()
        found.append(products(model, x))
        (found[-1] * torch.linspace(-1, 1, found[-1].shape[1])).sum().backward()  # type: ignore[no-untyped-call]
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None})
    torch.testing.assert_close(found[1], found[0])
    assert len(gradients[0]) == (9 if family == "llama" else 12), "head, three norms, five matrices, three biases"
    torch.testing.assert_close(gradients[1], gradients[0])
