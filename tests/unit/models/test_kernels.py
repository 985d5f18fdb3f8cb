"""What is between a model's matrix products: torch's own values and gradients; what does not fit is refused."""

import re

import numpy as np
import pytest
import torch

from readbench import _core
from readbench.models.lean.kernels import Heads, attend, gated_silu, normalise


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def angles(places: int, width: int) -> torch.Tensor:
    each = torch.arange(places)[:, None] * torch.exp(-torch.arange(width // 2))
    return torch.cat((each.cos(), each.sin()), 1)


def agree(found: torch.Tensor, expected: torch.Tensor, x: torch.Tensor, exact: torch.Tensor) -> None:
    """Values and gradients, the expected ones in double."""
    weight = random(*found.shape)
    (gradient,) = torch.autograd.grad((found * weight).sum(), x)
    (wanted,) = torch.autograd.grad((expected * weight.double()).sum(), exact)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient.double(), wanted, rtol=1e-5, atol=1e-5)


def twice(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = random(*shape)
    return x.clone().requires_grad_(), x.double().requires_grad_()


@pytest.mark.parametrize("width", [5, 24, 96])
def test_norm_and_activation_are_those_of_torch(width: int) -> None:
    x, exact = twice(7, width)
    agree(normalise(x, 1e-3), torch.nn.functional.rms_norm(exact, (width,), eps=1e-3), x, exact)
    x, exact = twice(7, 2 * width)
    agree(gated_silu(x), torch.nn.functional.silu(exact[:, :width]) * exact[:, width:], x, exact)


@pytest.mark.parametrize(("heads", "groups", "width"), [(4, 4, 24), (4, 2, 8), (3, 1, 6)])
def test_attention_is_that_of_torch_row_by_row(heads: int, groups: int, width: int) -> None:
    lengths = [3, 1, 19, 4]
    x, exact = twice(sum(lengths), (heads + 2 * groups) * width)
    turns = angles(max(lengths), width)
    starts = torch.tensor([0, *np.cumsum(lengths)])

    def turned(part: torch.Tensor) -> torch.Tensor:  # (·, L, D)
        first, second = part.chunk(2, -1)
        cos, sin = turns[: part.shape[-2]].double().chunk(2, -1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)

    rows = []
    for row in exact.split(lengths):
        query, key, value = row.view(len(row), -1, width).transpose(0, 1).split((heads, groups, groups))
        mixed = torch.nn.functional.scaled_dot_product_attention(turned(query), turned(key), value, is_causal=True, enable_gqa=True)
        rows.append(mixed.transpose(0, 1).reshape(len(row), -1))
    agree(attend(x, starts, Heads(heads, groups, turns)), torch.cat(rows), x, exact)


def test_rows_beyond_the_sequences_are_zero_and_get_no_gradient() -> None:
    x = random(5, 3 * 8).requires_grad_()
    mixed = attend(x, torch.tensor([0, 3]), Heads(1, 1, angles(3, 8)))
    assert not mixed[3:].any()
    mixed.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad[:3].any()
    assert not x.grad[3:].any()


Z, TURNS = np.zeros((4, 3 * 8), np.float32), np.ones((3, 8), np.float32)
MIXED = np.zeros((4, 8), np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Z.astype(np.float64), [0, 2], TURNS, 1, 1, MIXED), "z must be contiguous float32"),
        ((Z[:, ::2], [0, 2], TURNS, 1, 1, MIXED), "z must be contiguous float32"),
        ((Z, [0, 2], TURNS, 1, 1, MIXED[:2]), "mixed has a shape that does not fit the other arguments"),
        ((Z, [0, 2], TURNS, 2, 1, MIXED), "z has a shape that does not fit the other arguments"),
        ((Z, [0, 2], TURNS, 1, 0, MIXED), "heads must be a multiple of groups"),
        ((Z, [0, 2], TURNS, 2**61 + 1, 2**61 + 1, MIXED), "heads must be a multiple of groups, and at most 65536"),
        ((Z.astype(">f4"), [0, 2], TURNS, 1, 1, MIXED), "z must be contiguous float32"),
        ((Z, [0, 2], TURNS[:, :7], 1, 1, MIXED), "turns must have an even number of columns"),
        ((Z, [], TURNS, 1, 1, MIXED), "starts must begin with 0"),
        ((Z, [1, 2], TURNS, 1, 1, MIXED), "starts must begin with 0"),
        ((Z, [0, 2, 2], TURNS, 1, 1, MIXED), "starts must rise to at most the rows of z, 4"),
        ((Z, [0, 2, 5], TURNS, 1, 1, MIXED), "starts must rise to at most the rows of z, 4"),
        ((Z, [0, 4], TURNS, 1, 1, MIXED), "sequence 0 has no room for 4 tokens"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: tuple[object, ...], message: str) -> None:
    z, starts, turns, heads, groups, mixed = arguments
    given = (z, np.array(starts, np.int64), turns, heads, groups)
    with pytest.raises(ValueError, match=re.escape(message)):
        _core.attend(*given, mixed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=re.escape(message.replace("mixed", "grad"))):
        _core.attend_backward(*given, mixed, np.empty_like(Z))  # type: ignore[arg-type]


def test_a_cache_refuses_what_it_does_not_hold() -> None:
    cache = _core.AttentionCache(2, TURNS, 1, 1)
    cache.attend(Z, np.array([0, 2, 4]), 0, MIXED.copy())
    with pytest.raises(ValueError, match="sequence 1 has no room for 2 tokens"):
        cache.attend(Z, np.array([0, 1, 3]), 0, MIXED.copy())
    with pytest.raises(ValueError, match="the cache has 2 sequences"):
        cache.attend(Z, np.array([0, 1, 2]), 1, MIXED.copy())
    with pytest.raises(ValueError, match="the cache has 2 sequences"):
        cache.attend(Z, np.array([0]), 3, MIXED.copy())
    with pytest.raises(ValueError, match="the cache has 2 sequences"):
        cache.attend(Z, np.array([0, 1]), 2**64 - 1, MIXED.copy())
    with pytest.raises(ValueError, match="sequence 2 is not one of 2"):
        cache.keep(np.array([0, 2]))
    with pytest.raises(ValueError, match="sequence -1 is not one of 2"):
        cache.keep(np.array([-1]))


def test_a_cache_that_no_machine_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="num_sequences must be at most"):
        _core.AttentionCache(2**62, TURNS, 1, 1)


def test_what_cannot_be_written_is_not_written() -> None:
    mixed = MIXED.copy()
    mixed.setflags(write=False)
    with pytest.raises(ValueError, match="not writeable"):
        _core.attend(Z, np.array([0, 2]), TURNS, 1, 1, mixed)


def test_layers_refuse_arrays_of_other_shapes() -> None:
    x = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="inverse has a shape"):
        _core.normalise(x, 1e-6, x.copy(), np.ones(3, np.float32))
    with pytest.raises(ValueError, match="to_x has a shape"):
        _core.normalise_backward(x, x[:, 0].copy(), x, np.ones((4, 2), np.float32))
    with pytest.raises(ValueError, match="both has a shape"):
        _core.gated_silu(x, x.copy())
    with pytest.raises(ValueError, match="to_both has a shape"):
        _core.gated_silu_backward(x, x[:, :2].copy(), x[:, :2].copy())
