"""A Llama's weights as the lean paths multiply them: fewer and larger matrices, with the norms' weights in them.

An RMS norm is x / rms(x) times a weight. The weight is multiplied into the matrix that follows, which is smaller than the
input. One product gives queries, keys and values; one gives gate and up. In queries and keys a head's two halves, which the
rotation combines, alternate: it is a product of complex numbers then, and the products of queries and keys are what they were.

The results are computed from the model's own parameters, so gradients reach them. A training forward recomputes them at every
step; decoding, which changes no weight, computes them once.

Shapes: N tokens, width d, H heads and G key-value heads of width D, F the width between gate and down, V the vocabulary.
"""

from collections.abc import Sequence
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
    width = int(attention.head_dim)
    project = _together([each.weight for each in projections], width) * norm.weight
    bias = None if projections[0].bias is None else _together([each.bias for each in projections], width)
    return AttentionWeights(project, bias, attention.o_proj.weight, norm.variance_epsilon)


def _together(parts: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """Rows of queries, keys and values, one below the other; of queries and keys, each head's two halves alternate."""
    rest = parts[0].shape[1:]
    query, key = (each.view(-1, 2, width // 2, *rest).transpose(1, 2) for each in parts[:2])
    return torch.cat((query, key, parts[2].view(-1, width // 2, 2, *rest))).view(-1, *rest)


def turns(rotary: Any, length: int) -> torch.Tensor:
    """(L, D/2) complex: what the rotation of a model (Su et al. 2021, arXiv 2104.09864) multiplies the pairs of a place by."""
    cos, sin = rotary(torch.zeros(1), torch.arange(length)[None])  # (1, L, D), each half the same
    half = cos.shape[-1] // 2
    return torch.complex(cos[0, :, :half], sin[0, :, :half])


def pairs(heads: torch.Tensor) -> torch.Tensor:
    """(..., D) queries or keys as complex numbers (..., D/2), in the same memory."""
    return torch.view_as_complex(heads.view(*heads.shape[:-1], -1, 2))


def gated_weights(layer: Any) -> GatedWeights:
    """The gated perceptron of a library decoder layer, without biases."""
    mlp, norm = layer.mlp, layer.post_attention_layernorm
    return GatedWeights(torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)) * norm.weight, mlp.down_proj.weight, norm.variance_epsilon)


def head_weights(model: "PreTrainedModel") -> HeadWeights:
    """The output embedding, multiplied by the weight of the last norm."""
    norm: Any = model.base_model.norm
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return HeadWeights(head.weight * norm.weight, norm.variance_epsilon)


def inverse_rms(x: torch.Tensor, epsilon: float) -> torch.Tensor:
    """(N, d) → (N, 1): 1 / rms(x) of an RMS norm (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    mean_square: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
    return mean_square.add_(epsilon).rsqrt_()
