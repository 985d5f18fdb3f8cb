"""A lean forward of Llama-like models on the CPU, using the model's own parameters.

A small model on one core spends more time between matrix products than in them. This forward saves time as follows, with the
same result up to rounding (checked on load against the full forward; a test checks the gradients):

- Fewer and larger products, with the norms' weights in them (`readbench.models.lean.weights`).
- What is between them is one pass each, in C++ (`readbench.models.lean.kernels`).
- Padding is not computed, nor is what comes after a row's last label.
- After attention the last layer computes only label positions: nothing reads the others.

Shapes: B rows of L tokens, N of them computed, M labels, width d, V the vocabulary.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional

from readbench.models.lean.kernels import Heads, attend, gated_silu, normalise
from readbench.models.lean.products import filled
from readbench.models.lean.weights import attention_weights, gated_weights, head_weights, turns

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LONGEST = 1024  # tokens in a sequence: beyond this, the shares of all pairs leave the core's cache, and the library is as fast
_ROPES = ("default", "linear", "llama3")  # rotations that depend only on the position


class _Layout(NamedTuple):
    """Which tokens of a batch are computed, in rows one below the other: those that a label depends on."""

    cells: torch.Tensor  # (N,) places in the flattened (B·L); then the first again, for whole blocks
    starts: torch.Tensor  # (B + 1,) the first of each row
    labels: torch.Tensor  # (M,) of the labels; then the first again, for whole blocks

    @classmethod
    def of(cls, shape: torch.Size, positions: torch.Tensor) -> "_Layout":
        """That of a batch with labels at these places of the flattened (B·L)."""
        rows, length = shape
        row = positions // length
        last = torch.zeros(rows, dtype=torch.int64).scatter_reduce_(0, row, positions % length, "amax")
        starts = functional.pad((last + 1).cumsum(0), (1, 0))
        cells = (torch.arange(length) <= last[:, None]).flatten().nonzero()[:, 0]
        labels = positions - (torch.arange(rows) * length - starts[:-1])[row]
        return cls(filled(cells), starts, filled(labels))


class LeanLlama:
    """(inputs (B, L ≤ LONGEST), positions (M,) into the flattened inputs) → logits (M, V)."""

    def __init__(self, model: "PreTrainedModel") -> None:
        self._model = model
        self._decoder: Any = model.base_model
        config: Any = model.config
        with torch.inference_mode(False), torch.no_grad():
            self._heads = Heads(config.num_attention_heads, config.num_key_value_heads, turns(self._decoder.rotary_emb, LONGEST))

    def __call__(self, inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits at the positions."""
        layout = _Layout.of(inputs.shape, positions)
        x = self._decoder.embed_tokens(inputs.flatten()[layout.cells])
        last = len(self._decoder.layers) - 1
        for number, layer in enumerate(self._decoder.layers):
            attention = attention_weights(layer)
            z = functional.linear(normalise(x, attention.epsilon), attention.project, attention.bias)
            mixed = attend(z, layout.starts, self._heads)
            if number == last:
                x, mixed = x.index_select(0, layout.labels), mixed.index_select(0, layout.labels)
            x = torch.addmm(x, mixed, attention.out.t())
            mlp = gated_weights(layer)
            x = torch.addmm(x, gated_silu(functional.linear(normalise(x, mlp.epsilon), mlp.gate_up)), mlp.down.t())
        head = head_weights(self._model)
        return functional.linear(normalise(x, head.epsilon), head.weight)[: len(positions)]


def lean_llama(model: "PreTrainedModel") -> LeanLlama | None:
    """The lean forward if it knows the kind of model and its logits match the full forward's; else None."""
    if not is_known(model):
        return None
    lean = LeanLlama(model)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(model.config.vocab_size, (3, 12), generator=generator)
    positions = torch.arange(1, 36, 3)
    with torch.inference_mode():
        full = model(input_ids=inputs, use_cache=False).logits.flatten(0, 1).index_select(0, positions)
        return lean if torch.allclose(lean(inputs, positions), full, rtol=1e-4, atol=1e-5 * float(full.abs().max())) else None


def is_known(model: "PreTrainedModel") -> bool:
    """Whether it is a Llama, in fp32 on the CPU, without anything that the lean paths leave out."""
    config: Any = model.config
    if model.dtype != torch.float32 or any(type(module).__module__.startswith("peft.") for module in model.modules()):
        return False
    if model.device.type != "cpu" or type(model).__name__ not in ("LlamaForCausalLM", "Qwen2ForCausalLM"):
        return False
    rope = (config.rope_parameters or {}).get("rope_type", "default")
    sliding = any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ())
    biased = getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False)  # Llama's, on outputs too
    return config.hidden_act == "silu" and rope in _ROPES and not (sliding or biased or config.attention_dropout)
