"""Greedy decoding of a batch of prompts, one token per step: with the library for any model, with a lean path for Llamas on the CPU.

Both return the next-token logits of every row; `readbench.models.generation` picks tokens and decides when a row is done.
The lean path takes a third of the library's time on the lab's teacher (128 rows): it lays out the key-value cache once and
does not copy it at every step, builds no mask, pads prompts of different lengths on the right, where a causal model
cannot see it, and continues every row at its own position.

Shapes: B rows, L tokens, H heads of width D, T places in the cache, V the vocabulary.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from readbench.models.lean.llama import LONGEST, lean_llama
from readbench.models.lean.weights import AttentionWeights, GatedWeights, attention_weights, gated_weights, head_weights, inverse_rms

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Prompts = Sequence[tuple[int, ...]]
TOLERANCE = 1e-4  # logits: allowed difference between batches or between the two paths (measured: 1e-5 and less)
_SHORT, _LONG = (2, 7, 1), (3, 1, 4, 1, 5, 2)  # prompts of two lengths for testing a decoder


class Decoder(Protocol):
    """Decodes one batch at a time; `mixes` says whether its prompts may differ in length."""

    mixes: bool

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:
        """Reads the prompts; (B, V) logits of each row's next token."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token (B,) to each row; (B, V) logits of the next one."""

    def keep(self, rows: torch.Tensor) -> None:
        """Keeps only these rows (N,)."""


def decoder_for(model: "PreTrainedModel") -> Decoder:
    """The fastest decoder that is exact for the model."""
    with torch.inference_mode():
        if lean_llama(model) is not None:
            lean, library = LeanDecoder(model), LibraryDecoder(model, mixes=False)
            library.start([_SHORT], 1)
            expected = library.step(torch.tensor([5]))[0]
            if torch.allclose(_second_logits(lean), expected, rtol=1e-4, atol=TOLERANCE):
                return lean
        library, alone = LibraryDecoder(model, mixes=True), LibraryDecoder(model, mixes=False)
        alone.start([_SHORT], 1)
        expected = alone.step(torch.tensor([5], device=model.device))[0]
        exact = library.caches and torch.allclose(_second_logits(library), expected, rtol=1e-4, atol=TOLERANCE)
        return library if exact else alone


def _second_logits(decoder: Decoder) -> torch.Tensor:
    """(V,) logits of a padded row after one step."""
    logits = decoder.start([_LONG, _SHORT], 1)
    return decoder.step(torch.tensor([5, 5], device=logits.device))[1]


class LibraryDecoder:
    """Any causal language model. Mixed prompts are padded on the left and use the cache; else one length, whole sequences.

    Whole sequences are slow but right for every model: recurrent ones keep no key-value cache and read padding.
    """

    def __init__(self, model: "PreTrainedModel", *, mixes: bool) -> None:
        self.mixes = mixes
        self._model = model
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:  # noqa: ARG002 — its cache grows as it goes
        """Reads the prompts."""
        width = max(len(ids) for ids in prompts)
        device = self._model.device
        self._inputs = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in prompts], device=device)
        self._mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        self._cache: Any = None
        return self._forward()

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token to each row."""
        self._inputs = tokens[:, None] if self.mixes else torch.cat((self._inputs, tokens[:, None]), 1)
        self._mask = torch.cat((self._mask, self._mask.new_ones(len(tokens), 1)), 1)
        return self._forward()

    def keep(self, rows: torch.Tensor) -> None:
        """Drops the other rows."""
        self._inputs, self._mask = self._inputs[rows], self._mask[rows]
        if self.mixes:
            self._cache.batch_select_indices(rows)

    @property
    def caches(self) -> bool:
        """Whether the model has a key-value cache whose rows can be dropped."""
        self.start([_SHORT], 1)
        return hasattr(self._cache, "batch_select_indices")

    def _forward(self) -> torch.Tensor:
        extra: dict[str, Any] = {"past_key_values": self._cache, "use_cache": True} if self.mixes else {}
        if not bool(self._mask.all()):  # no mask if no row is padded: the causal kernel is faster
            extra["attention_mask"] = self._mask
            if self._takes_positions:
                extra["position_ids"] = (self._mask.cumsum(1) - 1).clamp_(min=0)[:, -self._inputs.shape[1] :]
        output = self._model(input_ids=self._inputs, **extra)
        self._cache = getattr(output, "past_key_values", None)
        logits: torch.Tensor = output.logits[:, -1]
        return logits.float()


class LeanDecoder:
    """Decodes the Llamas that `readbench.models.lean.llama` knows, on the CPU, with weights that do not change."""

    mixes = True

    def __init__(self, model: "PreTrainedModel") -> None:
        decoder: Any = model.base_model
        self._rotary: Any = decoder.rotary_emb
        self._embedding: torch.Tensor = decoder.embed_tokens.weight
        self._heads = int(model.config.num_attention_heads)
        self._layers = [(attention_weights(layer), gated_weights(layer)) for layer in decoder.layers]
        self._head = head_weights(model)

    def start(self, prompts: Prompts, max_new_tokens: int) -> torch.Tensor:
        """Reads the prompts, padded on the right."""
        rows, width = len(prompts), max(len(ids) for ids in prompts)
        places = width + max_new_tokens
        self._lengths = torch.tensor([len(ids) for ids in prompts])
        cos, sin = self._rotary(torch.zeros(1), torch.arange(places)[None])
        depth = cos.shape[-1]
        self._cos, self._sin = cos[0], torch.cat((-sin[0, :, : depth // 2], sin[0, :, depth // 2 :]), -1)  # (T, D)
        # zeros, not empty: a masked place has weight 0, and 0·NaN is NaN
        self._cache = [torch.zeros(2, self._heads, rows, places, depth) for _ in self._layers]
        inputs = torch.tensor([list(ids) + [0] * (width - len(ids)) for ids in prompts])
        x = self._embedding[inputs].flatten(0, 1)
        mask = torch.full((width, width), -torch.inf).triu_(1)
        last = torch.arange(rows) * width + self._lengths - 1
        for number, ((attention, gated), cache) in enumerate(zip(self._layers, self._cache, strict=True)):
            query, key, value = self._project(attention, x, self._cos[:width], self._sin[:width], (rows, width))
            cache[0, :, :, :width], cache[1, :, :, :width] = key, value
            query, key, value = query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)
            if width <= LONGEST:
                mixed = torch.bmm(torch.baddbmm(mask, query, key.transpose(1, 2)).softmax(-1), value)
            else:
                mixed = functional.scaled_dot_product_attention(query[None], key[None], value[None], is_causal=True, scale=1.0)
            mixed = mixed.view(self._heads, rows, width, -1).permute(1, 2, 0, 3).reshape(rows * width, -1)
            if number == len(self._layers) - 1:
                x, mixed = x[last], mixed[last]
            x = _after_attention(attention, gated, x, mixed)
        return self._logits(x)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token to each row, at the row's own place."""
        rows = torch.arange(len(tokens))
        cos, sin = self._cos[self._lengths][:, None], self._sin[self._lengths][:, None]  # (B, 1, D)
        filled = int(self._lengths.max()) + 1
        unseen = torch.arange(filled) > self._lengths[:, None]  # (B, T)
        mask = torch.zeros(unseen.shape).masked_fill_(unseen, -torch.inf).repeat(self._heads, 1)[:, None]  # (H·B, 1, T)
        x = self._embedding[tokens]
        for (attention, gated), cache in zip(self._layers, self._cache, strict=True):
            query, key, value = self._project(attention, x, cos, sin, (len(tokens), 1))
            cache[0][:, rows, self._lengths], cache[1][:, rows, self._lengths] = key[:, :, 0], value[:, :, 0]
            keys, values = (each.flatten(0, 1)[:, :filled] for each in cache)
            mixed = torch.bmm(torch.baddbmm(mask, query.flatten(0, 1), keys.transpose(1, 2)).softmax(-1), values)
            x = _after_attention(attention, gated, x, mixed.view(self._heads, len(tokens), -1).transpose(0, 1).reshape(len(tokens), -1))
        self._lengths = self._lengths + 1
        return self._logits(x)

    def keep(self, rows: torch.Tensor) -> None:
        """Drops the other rows."""
        self._lengths = self._lengths[rows]
        self._cache = [cache[:, :, rows] for cache in self._cache]

    def _project(
        self, weights: AttentionWeights, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, shape: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scaled queries and keys, both rotated by tables that broadcast to (B, L, D), and values: (H, B, L, D) each."""
        z = functional.linear(x * inverse_rms(x, weights.epsilon), weights.project, weights.bias)
        heads = z.view(*shape, 3 * self._heads, -1).permute(2, 0, 1, 3).contiguous()
        rotated = heads[: 2 * self._heads]
        swapped = rotated.roll(heads.shape[-1] // 2, -1)
        rotated.mul_(cos).addcmul_(swapped, sin.expand_as(swapped))
        query, key, value = heads.chunk(3)
        return query.mul_(heads.shape[-1] ** -0.5), key, value

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x * inverse_rms(x, self._head.epsilon), self._head.weight)


def _after_attention(attention: AttentionWeights, gated: GatedWeights, x: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
    """(N, d) the residual stream after the layer."""
    x = torch.addmm(x, mixed, attention.out.t())
    gate, up = functional.linear(x * inverse_rms(x, gated.epsilon), gated.gate_up).chunk(2, -1)
    return torch.addmm(x, functional.silu(gate).mul_(up), gated.down.t())
