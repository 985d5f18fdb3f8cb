"""A lean forward of Llama-like models on the CPU, using the model's own parameters, in half the library's time.

A small model on one core spends more time between matrix products than in them: measured on the lab's student (d = 96, 1024
tokens a step) 12 ms of 41. This forward saves time as follows, with the same result up to rounding (checked on load against
the full forward; a test checks the gradients):

- Fewer and larger products, with the norms' weights in them (`readbench.models.lean.weights`); a norm writes x / rms(x) once.
- Rotation and attention are one function with a hand-written backward, in one layout; the rotations hold the softmax's scale.
- Where a batch has much padding, attention alone computes it.
- After attention the last layer computes only label positions: nothing reads the others.

Shapes: B rows of L tokens, width d, H heads of width D, F the width between gate and down, V the vocabulary.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional

from readbench.models.lean.products import batched_products, filled
from readbench.models.lean.weights import AttentionWeights, attention_weights, gated_weights, head_weights, inverse_rms, pairs, turns

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LONGEST = 128  # tokens in a sequence: beyond this, scoring all pairs costs more than the rest saves
_FULL = 0.95  # the share of a batch that is no padding, above which leaving the rest out costs more than it saves
_SPREAD = 100.0  # powers of 2 between the largest score of all and the smallest of a row's own: far from where float32 ends
_ROPES = ("default", "linear", "llama3")  # rotations that depend only on the position


class _Normalise(torch.autograd.Function):
    """x (N, d) → x / rms(x), with a hand-written backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        inverse = inverse_rms(x, epsilon)
        normal = x * inverse
        ctx.save_for_backward(normal, inverse)
        return normal

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        normal, inverse = ctx.saved_tensors
        along = (grad * normal).mean(-1, keepdim=True)
        return torch.addcmul(grad, normal, along, value=-1.0).mul_(inverse), None


class _Layout(NamedTuple):
    """Which tokens of a batch are computed, in rows one below the other: those that a label depends on."""

    shape: torch.Size  # (B, L)
    cells: torch.Tensor  # (N,) places in the flattened (B·L); after the first `number`, the first again, for whole blocks
    number: int  # of the tokens that are computed
    row: torch.Tensor | None  # (B·L,) the row of each place, 0 of one that is not computed; None where all are, in their order

    @classmethod
    def of(cls, shape: torch.Size, positions: torch.Tensor) -> "_Layout":
        """That of a batch with labels at these places of the flattened (B·L)."""
        rows, length = shape
        last = torch.zeros(rows, dtype=torch.int64).scatter_reduce_(0, positions // length, positions % length, "amax")
        number = int(last.sum()) + rows
        if number > _FULL * rows * length:
            return cls(shape, filled(torch.arange(rows * length)), rows * length, None)
        cells = (torch.arange(length) <= last[:, None]).flatten().nonzero()[:, 0]
        row = torch.zeros(rows * length, dtype=torch.int64)
        row[cells] = torch.arange(number)
        return cls(shape, filled(cells), number, row)


class _ShortAttention(torch.autograd.Function):
    """z (N, 3H·D) of queries, keys, values → (M, H·D) at the first `count` of `wanted` (M,): rotation, causal softmax, mix.

    Computes all pairs at once, so it suits short sequences. `turn` and `back` (2H, 1, L, D/2) are complex and rotate forth and back;
    they hold the softmax's scale, which counts in powers of 2, and its derivative.
    """

    @staticmethod
    def forward(
        ctx: Any,
        z: torch.Tensor,
        layout: _Layout,
        wanted: torch.Tensor,
        count: int,
        turn: torch.Tensor,
        back: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        length, (heads, _, _, half) = layout.shape[1], turn.shape
        cells = z[: layout.shape.numel()] if layout.row is None else z.index_select(0, layout.row)
        parts = cells.view(*layout.shape, -1, 2 * half).permute(2, 0, 1, 3).contiguous()  # (3H, B, L, D)
        pairs(parts[:heads]).mul_(turn)
        query, key, value = parts.view(3, -1, length, 2 * half)  # (H·B, L, D) each
        with batched_products():
            share = _causal_softmax(torch.baddbmm(mask, query, key.transpose(1, 2)))
            mixed = torch.bmm(share, value)
        ctx.save_for_backward(parts, share, back, wanted[:count])
        ctx.layout, ctx.rows = layout, len(z)
        return mixed.view(heads // 2, len(cells), -1).transpose(0, 1).reshape(len(cells), -1).index_select(0, wanted)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None, None, None]:
        parts, share, back, wanted = ctx.saved_tensors
        layout: _Layout = ctx.layout
        heads, rows, length, width = parts.shape
        query, key, value = parts.view(3, -1, length, width)
        to_parts = torch.empty_like(parts)
        to_query, to_key, to_value = to_parts.view(3, -1, length, width)
        everywhere = grad.new_zeros(rows * length, grad.shape[1]).index_copy_(0, wanted, grad[: len(wanted)])
        grad = everywhere.view(rows, length, heads // 3, width).permute(2, 0, 1, 3).reshape(-1, length, width)
        with batched_products():
            torch.bmm(share.transpose(1, 2), grad, out=to_value)
            to_scores = torch.bmm(grad, value.transpose(1, 2))
            to_scores.sub_((to_scores * share).sum(-1, keepdim=True)).mul_(share)
            torch.bmm(to_scores, key, out=to_query)
            torch.bmm(to_scores.transpose(1, 2), query, out=to_key)
        pairs(to_parts[: len(back)]).mul_(back)
        to_cells = to_parts.permute(1, 2, 0, 3).reshape(rows * length, -1)
        to_z = to_cells.new_zeros(ctx.rows, to_cells.shape[1])
        to_z[: layout.number] = to_cells if layout.row is None else to_cells.index_select(0, layout.cells[: layout.number])
        return to_z, None, None, None, None, None, None


def _causal_softmax(scores: torch.Tensor) -> torch.Tensor:
    """(N, L, L) exponents of 2, −∞ above the diagonal → shares, in the same memory.

    torch's softmax looks for the largest of each row, which takes longer than the rest where rows are short. One bound for all does where
    no row is so far below it that it would vanish: each has its diagonal.
    """
    largest = scores.max()
    if float(largest - scores.diagonal(dim1=1, dim2=2).amin()) < _SPREAD:
        share = scores.sub_(largest).exp2_()
        return share.div_(share.sum(-1, keepdim=True))
    return scores.mul_(math.log(2)).softmax(-1)


class _GatedSilu(torch.autograd.Function):
    """(N, 2F) gate and up → silu(gate)·up, Shazeer 2020 (arXiv 2002.05202)."""

    @staticmethod
    def forward(ctx: Any, both: torch.Tensor) -> torch.Tensor:
        gate, up = both.chunk(2, -1)
        active = functional.silu(gate)
        if not ctx.needs_input_grad[0]:
            return active.mul_(up)
        ctx.save_for_backward(both, active)
        return active * up

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        both, active = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        back = torch.empty_like(both)
        to_gate, to_up = back.chunk(2, -1)
        torch.mul(grad, active, out=to_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=to_gate)
        return back


_normalise: Callable[[torch.Tensor, float], torch.Tensor] = _Normalise.apply
_gated_silu: Callable[[torch.Tensor], torch.Tensor] = _GatedSilu.apply
_short_attention: Callable[..., torch.Tensor] = _ShortAttention.apply


class LeanLlama:
    """(inputs (B, L ≤ LONGEST), positions (N,) into the flattened inputs) → logits (N, V)."""

    def __init__(self, model: "PreTrainedModel") -> None:
        self._model = model
        self._decoder: Any = model.base_model
        self._heads = int(model.config.num_attention_heads)
        self._tables: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def __call__(self, inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits at the positions."""
        layout, labels = _Layout.of(inputs.shape, positions), filled(positions)
        x = self._decoder.embed_tokens(inputs.flatten()[layout.cells])
        last = len(self._decoder.layers) - 1
        for number, layer in enumerate(self._decoder.layers):
            attention = attention_weights(layer)
            if number < last:
                mixed = self._attend(attention, x, layout, layout.cells, layout.number)
            else:
                mixed = self._attend(attention, x, layout, labels, len(positions))
                x = x.index_select(0, labels if layout.row is None else layout.row[labels])
            x = torch.addmm(x, mixed, attention.out.t())
            gated = gated_weights(layer)
            hidden = _gated_silu(_normalise(x, gated.epsilon) @ gated.gate_up.t())
            x = torch.addmm(x, hidden, gated.down.t())
        head = head_weights(self._model)
        logits: torch.Tensor = _normalise(x, head.epsilon) @ head.weight.t()
        return logits[: len(positions)]

    def _attend(self, weights: AttentionWeights, x: torch.Tensor, layout: _Layout, wanted: torch.Tensor, count: int) -> torch.Tensor:
        z = functional.linear(_normalise(x, weights.epsilon), weights.project, weights.bias)
        return _short_attention(z, layout, wanted, count, *self._table(layout.shape[1]))

    def _table(self, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rotations forth and back (2H, 1, L, D/2) with the softmax's scale and its derivative; the causal mask (L, L)."""
        if length not in self._tables:
            with torch.inference_mode(False), torch.no_grad():
                turn = turns(self._decoder.rotary_emb, length).expand(self._heads, 1, length, -1)
                away = turn.conj().resolve_conj()
                scale, base = (2 * turn.shape[-1]) ** -0.5, math.log(2)
                forth, back = torch.cat((turn * (scale / base), turn)), torch.cat((away * scale, away * base))
                self._tables[length] = (forth, back, torch.full((length, length), -torch.inf).triu_(1))
        return self._tables[length]


def lean_llama(model: "PreTrainedModel") -> LeanLlama | None:
    """The lean forward if it knows the kind of model and its logits match the full forward's; else None."""
    config: Any = model.config
    if not is_known(model) or config.num_key_value_heads != config.num_attention_heads:
        return None
    lean = LeanLlama(model)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(model.config.vocab_size, (3, 12), generator=generator)
    positions = torch.arange(1, 36, 3)
    with torch.inference_mode():
        full = model(input_ids=inputs, use_cache=False).logits.flatten(0, 1).index_select(0, positions)
        return lean if torch.allclose(lean(inputs, positions), full, rtol=1e-4, atol=1e-5 * float(full.abs().max())) else None


def is_known(model: "PreTrainedModel") -> bool:
    """Whether it is a Llama, in fp32 on the CPU, without anything that the lean paths leave out; its keys may be fewer than its queries."""
    config: Any = model.config
    if model.dtype != torch.float32 or any(type(module).__module__.startswith("peft.") for module in model.modules()):
        return False
    if model.device.type != "cpu" or type(model).__name__ not in ("LlamaForCausalLM", "Qwen2ForCausalLM"):
        return False
    rope = (config.rope_parameters or {}).get("rope_type", "default")
    sliding = any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ())
    biased = getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False)  # Llama's, on outputs too
    return config.hidden_act == "silu" and rope in _ROPES and not (sliding or biased or config.attention_dropout)
