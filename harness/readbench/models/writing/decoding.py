"""Decoding of a batch of prompts, one token per step: with the library for any model, with a lean path for Llamas on the CPU.

Both return the next-token logits of every row; `readbench.models.writing.generation` picks tokens and decides when a row is done.
The lean path takes a third of the library's time on the lab's teacher (128 rows): it lays out the key-value cache once and
does not copy it at every step, builds no mask, pads prompts of different lengths on the right, where a causal model
cannot see it, and continues every row at its own position.

Shapes: B rows, L tokens, H heads of width D in G groups that share keys and values, T places in the cache, V the vocabulary.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from readbench.models.lean.llama import LONGEST, is_known
from readbench.models.lean.products import SMALL_BLOCK, batched_products, whole_blocks
from readbench.models.lean.weights import (
    AttentionWeights,
    GatedWeights,
    attention_weights,
    gated_weights,
    head_weights,
    inverse_rms,
    pairs,
    turns,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Prompts = Sequence[tuple[int, ...]]
# Allowed difference of logits between batches or between the two paths, as a share of the largest logit (measured: 1e-6 on the lab's
# models, 1e-5 on SmolLM2-135M); what a wrong mask or position does is a hundred times as much and more.
TOLERANCE = 1e-4
LARGEST = 600_000_000  # parameters of a model that the lean path decodes: it holds them twice
_READ_TOKENS = 1536  # of prompts at once: more than a core's cache holds takes longer (the lab's teacher: a tenth of its answers' time)
_WORTH_SHARING = 8  # tokens: reading a shorter beginning apart costs more than it saves
_SHORT, _LONG = (2, 7, 1), (3, 1, 4, 1, 5, 2)  # prompts of two lengths for testing a decoder


class Decoder(Protocol):
    """Decodes one batch at a time; `mixes` says whether its prompts may differ in length."""

    mixes: bool

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:
        """Reads the prompts; (B, V) logits of each row's next token."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token (B,) to each row; (B, V) logits of the next one."""

    def keep(self, rows: torch.Tensor) -> None:
        """Keeps only these rows (N,), one as often as it is named."""

    def renewed(self) -> "Decoder":
        """A decoder of the same kind with the model's current weights."""


def decoder_for(model: "PreTrainedModel") -> Decoder:
    """The fastest decoder that is exact for the model: the lean one, the library with its cache, or the library without."""
    alone = LibraryDecoder(model, mixes=False)
    with torch.inference_mode():
        expected = _trial(alone, alone=True)
        if is_known(model) and model.num_parameters() <= LARGEST:
            lean = LeanDecoder(model)
            if _agrees(lean, expected):
                return lean
        cached = LibraryDecoder(model, mixes=True)
        return cached if _agrees(cached, expected) else alone


def _agrees(decoder: Decoder, expected: list[torch.Tensor]) -> bool:
    """Whether a padded row gets the logits that it gets alone, also as a copy and after the others were dropped."""
    try:
        found = _trial(decoder, alone=False)
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False  # the model keeps no cache, or one whose rows cannot be dropped
    return all(
        float((ours - theirs).abs().max()) <= TOLERANCE * max(1.0, float(theirs.abs().max()))
        for ours, theirs in zip(found, expected, strict=True)
    )


def _trial(decoder: Decoder, *, alone: bool) -> list[torch.Tensor]:
    """The (V,) logits of one row at the start and after each of three steps.

    Unless it is alone it is the copy of a row, and others go along until the third.
    """
    logits = [decoder.start([_SHORT] if alone else [_LONG, _SHORT], 3)]
    if not alone:
        decoder.keep(torch.tensor([0, 1, 1], device=logits[-1].device))
    for token in (5, 6):
        logits.append(decoder.step(torch.full((1 if alone else 3,), token, device=logits[-1].device)))
    if not alone:
        decoder.keep(torch.tensor([2], device=logits[-1].device))
    logits.append(decoder.step(torch.tensor([4], device=logits[-1].device)))
    return [each[-1].float() for each in logits]


class LibraryDecoder:
    """Any causal language model. Mixed prompts are padded on the left and use the cache; else one length, whole sequences.

    Whole sequences are slow but right for every model. A recurrent model's cache is its state, which padding must not reach: it
    masks what it reads, so its mask covers the new tokens alone.
    """

    def __init__(self, model: "PreTrainedModel", *, mixes: bool) -> None:
        self.mixes = mixes
        self._model = model
        taken = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in taken
        self._recurrent = "cache_params" in taken
        self._last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:  # noqa: ARG002 — its cache grows as it goes
        """Reads the prompts."""
        width = max(len(ids) for ids in prompts)
        device = self._model.device
        self._inputs = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in prompts], device=device)
        self._mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        self._padded = not bool(self._mask.all())  # no mask if no row is padded: the causal kernel is faster
        self._cache: Any = None
        return self._forward()

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token to each row."""
        self._inputs = tokens[:, None] if self.mixes else torch.cat((self._inputs, tokens[:, None]), 1)
        self._mask = torch.cat((self._mask, self._mask.new_ones(len(tokens), 1)), 1)
        return self._forward()

    def keep(self, rows: torch.Tensor) -> None:
        """Keeps these rows, one as often as it is named."""
        self._inputs, self._mask = self._inputs[rows], self._mask[rows]
        if self.mixes:  # a recurrent layer only knows the order of beams, which may be fewer
            (self._cache.reorder_cache if self._recurrent else self._cache.batch_select_indices)(rows)

    def renewed(self) -> Decoder:
        """Itself: it reads the model's own weights."""
        return self

    def _forward(self) -> torch.Tensor:
        extra: dict[str, Any] = dict(self._last_only)
        name = "cache_params" if self._recurrent else "past_key_values"
        if self.mixes:
            extra |= {name: self._cache, "use_cache": True}
        new = self._inputs.shape[1]
        if self._padded and not (self._recurrent and new == 1):
            extra["attention_mask"] = self._mask[:, -new:] if self._recurrent else self._mask
            if self._takes_positions:
                extra["position_ids"] = (self._mask.cumsum(1) - 1).clamp_(min=0)[:, -new:]
        output = self._model(input_ids=self._inputs, **extra)
        self._cache = getattr(output, name, None)
        logits: torch.Tensor = output.logits[:, -1]
        return logits.float()


class LeanDecoder:
    """Decodes the Llamas that `readbench.models.lean.llama` knows, on the CPU, with weights that do not change."""

    mixes = True

    def __init__(self, model: "PreTrainedModel") -> None:
        self._model = model
        decoder: Any = model.base_model
        self._rotary: Any = decoder.rotary_emb
        self._embedding: torch.Tensor = decoder.embed_tokens.weight
        self._heads = int(model.config.num_attention_heads)
        self._groups = int(model.config.num_key_value_heads)
        self._layers = [(attention_weights(layer), gated_weights(layer)) for layer in decoder.layers]
        self._head = head_weights(model)

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:
        """Reads the prompts, padded on the right; what all of them begin with (a chat's system prompt) is read once."""
        rows, width = len(prompts), max(len(ids) for ids in prompts)
        places = width + max_new_tokens
        self._turns = turns(self._rotary, places)  # (T, D/2)
        depth = 2 * self._turns.shape[-1]
        self._cache = self._blank(rows, places, depth)
        shared = _shared_prefix(prompts)
        if shared:
            alone = self._blank(1, shared, depth)
            self._read(alone, [prompts[0][:shared]], 0)
            for cache, beginning in zip(self._cache, alone, strict=True):
                cache[:, :, :, :shared] = beginning
        self._lengths = torch.tensor([len(ids) for ids in prompts])
        at_once = max(_READ_TOKENS // width, 1)
        found = []
        for start in range(0, rows, at_once):
            part = slice(start, start + at_once)
            read = self._read([cache[:, :, part] for cache in self._cache], [ids[shared:] for ids in prompts[part]], shared)
            found.append(self._logits(read)[: len(prompts[part])])
        return torch.cat(found)

    def _blank(self, rows: int, places: int, depth: int) -> list[torch.Tensor]:
        """An empty cache: a tensor (2, G, B, T, D) of keys and values for each layer."""
        # zeros, not empty: a masked place has weight 0, and 0·NaN is NaN
        return [torch.zeros(2, self._groups, rows, places, depth) for _ in self._layers]

    def _read(self, caches: list[torch.Tensor], inputs: Prompts, begin: int) -> torch.Tensor:
        """Reads tokens from the place `begin` on, where the caches hold what came before; (B, d) the output at each row's last one."""
        rows, width = len(inputs), max(len(ids) for ids in inputs)
        end = begin + width
        x = whole_blocks(self._embedding[torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in inputs])].flatten(0, 1))
        mask = torch.full((width, end), -torch.inf).triu_(1 + begin)
        last = torch.arange(rows) * width + torch.tensor([len(ids) - 1 for ids in inputs])
        for number, ((attention, gated), cache) in enumerate(zip(self._layers, caches, strict=True)):
            query, cache[0, :, :, begin:end], cache[1, :, :, begin:end] = self._project(attention, x, self._turns[begin:end], (rows, width))
            mixed = _mix(query, cache[0, :, :, :end], cache[1, :, :, :end], mask).permute(1, 2, 0, 3).reshape(rows * width, -1)
            if number == len(self._layers) - 1:
                x, mixed = whole_blocks(x[last], SMALL_BLOCK), mixed[last]
            x = _after_attention(attention, gated, x, mixed)
        return x

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token to each row, at the row's own place."""
        rows = torch.arange(len(tokens))
        turn = self._turns[self._lengths][:, None]  # (B, 1, D/2)
        filled = int(self._lengths.max()) + 1
        unseen = torch.arange(filled) > self._lengths[:, None]  # (B, T)
        mask = torch.zeros(unseen.shape).masked_fill_(unseen, -torch.inf).repeat(self._groups, 1)[:, None]  # (G·B, 1, T)
        x = whole_blocks(self._embedding[tokens], SMALL_BLOCK)
        for (attention, gated), cache in zip(self._layers, self._cache, strict=True):
            query, key, value = self._project(attention, x, turn, (len(tokens), 1))
            cache[0][:, rows, self._lengths], cache[1][:, rows, self._lengths] = key[:, :, 0], value[:, :, 0]
            mixed = _mix(query, cache[0][:, :, :filled], cache[1][:, :, :filled], mask)
            x = _after_attention(attention, gated, x, mixed[:, :, 0].transpose(0, 1).reshape(len(tokens), -1))
        self._lengths = self._lengths + 1
        return self._logits(x)[: len(tokens)]

    def keep(self, rows: torch.Tensor) -> None:
        """Keeps these rows, one as often as it is named."""
        self._lengths = self._lengths[rows]
        self._cache = [cache[:, :, rows] for cache in self._cache]

    def renewed(self) -> Decoder:
        """With the weights laid out anew."""
        return LeanDecoder(self._model)

    def _project(
        self, weights: AttentionWeights, x: torch.Tensor, turn: torch.Tensor, shape: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scaled queries (H, B, L, D) and keys (G, B, L, D), both rotated by what broadcasts to (B, L, D/2), and values like keys."""
        z = functional.linear(x * inverse_rms(x, weights.epsilon), weights.project, weights.bias)
        heads = z[: shape[0] * shape[1]].view(*shape, self._heads + 2 * self._groups, -1).permute(2, 0, 1, 3).contiguous()
        pairs(heads[: self._heads + self._groups]).mul_(turn)
        key, value = heads[self._heads :].chunk(2)
        return heads[: self._heads].mul_(heads.shape[-1] ** -0.5), key, value

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x * inverse_rms(x, self._head.epsilon), self._head.weight)


def _shared_prefix(prompts: Prompts) -> int:
    """How many tokens all prompts begin with, worth reading apart; each keeps one of its own."""
    first, *others = prompts
    most = min(len(ids) for ids in prompts) - 1
    shared = next((place for place in range(most) if any(ids[place] != first[place] for ids in others)), most)
    return shared if others and shared >= _WORTH_SHARING else 0


def _mix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(H, B, L, D) attention of scaled queries (H, B, L, D) to keys and values (G, B, T, D), each shared by H/G heads.

    The mask is one for all rows (L, T), or each row's own for one query (G·B, 1, T). Short ones are products per group, for all its
    heads at once.
    """
    groups, rows, places, depth = key.shape
    heads, _, length, _ = query.shape
    if length > LONGEST:
        key, value = (each.repeat_interleave(heads // groups, 0) for each in (key, value))
        return functional.scaled_dot_product_attention(query, key, value, mask, scale=1.0)
    together = query.view(groups, -1, rows, length, depth).transpose(1, 2).reshape(groups * rows, -1, depth)
    mask = mask.repeat(heads // groups, 1) if mask.dim() == 2 else mask
    with batched_products():
        share = torch.baddbmm(mask, together, key.reshape(-1, places, depth).transpose(1, 2)).softmax(-1)
        mixed = torch.bmm(share, value.reshape(-1, places, depth))
    return mixed.view(groups, rows, -1, length, depth).transpose(1, 2).reshape(query.shape)


def _after_attention(attention: AttentionWeights, gated: GatedWeights, x: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
    """(N, d) the residual stream after the layer; `mixed` may have fewer rows, where N is a whole number of blocks."""
    if len(mixed) < len(x):
        mixed = functional.pad(mixed, (0, 0, 0, len(x) - len(mixed)))
    x = torch.addmm(x, mixed, attention.out.t())
    gate, up = functional.linear(x * inverse_rms(x, gated.epsilon), gated.gate_up).chunk(2, -1)
    return torch.addmm(x, functional.silu(gate).mul_(up), gated.down.t())
