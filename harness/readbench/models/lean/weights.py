"""A Llama's weights as the lean paths multiply them: fewer and larger matrices, with the norms' weights in them.

An RMS norm is x / rms(x) times a weight. The weight is multiplied into the matrix that follows, which is smaller than the
input. One product gives queries, keys and values; one gives gate and up.

The results are computed from the model's own parameters, so gradients reach them. A training forward recomputes them at every
step; decoding, which changes no weight, computes them once.

Shapes: N tokens, width d, H heads and G key-value heads of width D, F the width between gate and down, V the vocabulary.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class AttentionWeights(NamedTuple):
    """What a layer's attention multiplies by."""

    project: torch.Tensor  # ((H + 2G)·D, d) to queries, keys, values
    bias: torch.Tensor | None  # ((H + 2G)·D,) of the same; None if the model has no bias
    out: torch.Tensor  # (d, H·D)
    epsilon: float  # of the norm before it


class GatedWeights(NamedTuple):
    """What a layer's gated perceptron multiplies by."""

    gate_up: torch.Tensor  # (2F, d)
    down: torch.Tensor  # (d, F)
    epsilon: float  # of the norm before it


class HeadWeights(NamedTuple):
    """What the output of the last layer is multiplied by."""

    weight: torch.Tensor  # (V, d)
    epsilon: float  # of the norm before it


def attention_weights(layer: Any) -> AttentionWeights:
    """The attention weights of a library decoder layer."""
    attention, norm = layer.self_attn, layer.input_layernorm
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    project = torch.cat([each.weight for each in projections]) * norm.weight
    bias = None if projections[0].bias is None else torch.cat([each.bias for each in projections])
    return AttentionWeights(project, bias, attention.o_proj.weight, norm.variance_epsilon)


def turns(rotary: Any, places: int) -> torch.Tensor:
    """(T, D) cosines of a place's D/2 angles, and their sines: a model's rotation (Su et al. 2021, arXiv 2104.09864)."""
    cos, sin = rotary(torch.zeros(1), torch.arange(places)[None])  # (1, T, D), each half the same
    half = cos.shape[-1] // 2
    return torch.cat((cos[0, :, :half], sin[0, :, :half]), 1)


def gated_weights(layer: Any) -> GatedWeights:
    """The gated perceptron of a library decoder layer, without biases."""
    mlp, norm = layer.mlp, layer.post_attention_layernorm
    return GatedWeights(torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)) * norm.weight, mlp.down_proj.weight, norm.variance_epsilon)


def head_weights(model: "PreTrainedModel") -> HeadWeights:
    """The output embedding, multiplied by the weight of the last norm."""
    norm: Any = model.base_model.norm
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return HeadWeights(head.weight * norm.weight, norm.variance_epsilon)
