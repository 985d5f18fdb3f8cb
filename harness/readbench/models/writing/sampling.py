"""Drawing a token from a model's distribution, with noise that belongs to one answer and one place in it.

The Gumbel-max form (Maddison et al. 2014, arXiv 1411.0030): the largest of logit + temperature · g_v, with g_v independent standard
Gumbel numbers, is a draw from softmax(logits / temperature). The g are a function of (seed, place, token) alone (SplitMix64, Steele et
al. 2014), so a draw is an argmax like the greedy one: it does not depend on what else is in the batch, and the distance of the two largest
says whether rounding may have decided it. `top_p` keeps the most probable tokens until their mass reaches it (Holtzman et al. 2020, arXiv
1904.09751).

Shapes: B rows, V the vocabulary.
"""

from dataclasses import dataclass

import torch

TIE = 1e-3  # logits: two that are nearer may have been put in order by rounding
_PIECE = 1 << 22  # numbers of noise that are held at a time
_GOLDEN, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How answers are drawn."""

    temperature: float = 1.0
    top_p: float = 1.0


def most_likely(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) tokens of the largest of (B, V) logits, and (B,) bool: whether rounding may have decided."""
    best = logits.topk(2, dim=-1)
    return best.indices[:, 0], best.values[:, 0] - best.values[:, 1] < TIE * _scale(best.values[:, :1])[:, 0]


def drawn(logits: torch.Tensor, sampling: Sampling, seeds: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) tokens drawn by (B,) int64 seeds for (B,) int64 places in the answers, and (B,) bool: whether rounding may have decided."""
    rows = max(1, _PIECE // logits.shape[1])
    pieces = zip(*(torch.split(each, rows) for each in (logits, seeds, places)), strict=True)
    tokens, near = zip(*(_drawn(piece, sampling, *which) for piece, *which in pieces), strict=True)
    return torch.cat(tokens), torch.cat(near)


def _drawn(logits: torch.Tensor, sampling: Sampling, seeds: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.double()
    tie = TIE * _scale(logits.amax(-1, keepdim=True))
    scores = logits + sampling.temperature * gumbel(seeds, places, logits.shape[1])
    if sampling.top_p >= 1.0:
        best = scores.topk(2, dim=-1)
        return best.indices[:, 0], best.values[:, 0] - best.values[:, 1] < tie[:, 0]
    kept, unsure = _nucleus(logits, sampling, tie)
    best = scores.masked_fill(~kept, -torch.inf).topk(2, dim=-1)
    rival = scores.masked_fill(~unsure, -torch.inf).amax(-1)  # what belongs to the nucleus or not by rounding
    chosen = best.indices[:, 0]
    near = best.values[:, 0] - torch.maximum(best.values[:, 1], rival) < tie[:, 0]
    return chosen, near | unsure.gather(1, chosen[:, None])[:, 0]


def _nucleus(logits: torch.Tensor, sampling: Sampling, tie: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, V) the tokens before which the more probable ones have less mass than `top_p`, and those of which rounding may decide that."""
    ordered, order = (logits / sampling.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    inside = before < sampling.top_p
    last = inside.sum(-1, keepdim=True) - 1  # the place of the least probable token that is kept
    ranked = logits.gather(1, order)
    cut = ranked.gather(1, last)
    beyond = ranked.gather(1, (last + 1).clamp(max=logits.shape[1] - 1))
    unsure = (before - sampling.top_p).abs() < tie / sampling.temperature
    unsure |= (cut - beyond < tie) & ((ranked - cut).abs() < 2 * tie)
    unsure[:, 0] = False  # the most probable one is always kept
    back = order.argsort(-1)
    return inside.gather(1, back), unsure.gather(1, back)


def gumbel(seeds: torch.Tensor, places: torch.Tensor, size: int) -> torch.Tensor:
    """(B, size) standard Gumbel numbers in double, each a function of (seed, place, token)."""
    key = _mixed(_mixed(seeds) + places)[:, None]
    bits = _mixed(key + torch.arange(1, size + 1, device=seeds.device) * _GOLDEN)
    uniform = (_shifted(bits, 11).double() + 0.5) * 2.0**-53
    return -(-uniform.log()).log()


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """SplitMix64's finaliser, in int64 that wraps around."""
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: torch.Tensor, count: int) -> torch.Tensor:
    """A logical shift to the right."""
    moved: torch.Tensor = x >> count
    return moved & ((1 << (64 - count)) - 1)


def _scale(largest: torch.Tensor) -> torch.Tensor:
    """Rounding grows with the logits: beyond 10 a distance counts relative to them."""
    return (largest.abs() / 10).clamp(min=1)
