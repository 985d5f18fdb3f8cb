"""The parts of a Llama between its matrix products, in C++ (`readbench._core`): RMS norm, gated activation, causal attention.

Each is one pass over its rows, with a hand-written backward. Sequences stand one below the other, without padding.

Shapes: N rows, width d, F the width between gate and down, H heads of width D in G groups that share keys and values.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable

from readbench import _core


class Heads(NamedTuple):
    """How a model attends."""

    heads: int
    groups: int
    turns: torch.Tensor  # (T, D): of each place the cosines of a head's angles, and the sines


def normal(x: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, d) → x / rms(x) and (N,) 1 / rms(x) (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    to, inverse = torch.empty_like(x), x.new_empty(len(x))
    _core.normalise(x.numpy(), epsilon, to.numpy(), inverse.numpy())
    return to, inverse


def gated(both: torch.Tensor) -> torch.Tensor:
    """(N, 2F) gate and up → silu(gate)·up (Shazeer 2020, arXiv 2002.05202)."""
    product = both.new_empty(len(both), both.shape[1] // 2)
    _core.gated_silu(both.numpy(), product.numpy())
    return product


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        to, inverse = normal(x.detach(), epsilon)
        ctx.save_for_backward(to, inverse)
        return to

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        normal_x, inverse = ctx.saved_tensors
        to_x = torch.empty_like(normal_x)
        _core.normalise_backward(normal_x.numpy(), inverse.numpy(), grad.contiguous().numpy(), to_x.numpy())
        return to_x, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(both)
        return gated(both.detach())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (both,) = ctx.saved_tensors
        to_both = torch.empty_like(both)
        _core.gated_silu_backward(both.detach().numpy(), grad.contiguous().numpy(), to_both.numpy())
        return to_both


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, starts: torch.Tensor, heads: Heads) -> torch.Tensor:
        mixed = z.new_zeros(len(z), heads.heads * heads.turns.shape[1])
        _core.attend(z.detach().numpy(), starts.numpy(), heads.turns.numpy(), heads.heads, heads.groups, mixed.numpy())
        ctx.save_for_backward(z, starts)
        ctx.heads = heads
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        z, starts = ctx.saved_tensors
        heads: Heads = ctx.heads
        to_z = torch.zeros_like(z)
        _core.attend_backward(
            z.detach().numpy(),
            starts.numpy(),
            heads.turns.numpy(),
            heads.heads,
            heads.groups,
            grad.contiguous().numpy(),
            to_z.numpy(),
        )
        return to_z, None, None


# with gradients
normalise: Callable[[torch.Tensor, float], torch.Tensor] = _Normalise.apply
gated_silu: Callable[[torch.Tensor], torch.Tensor] = _Gated.apply
attend: Callable[[torch.Tensor, torch.Tensor, Heads], torch.Tensor] = _Attend.apply
