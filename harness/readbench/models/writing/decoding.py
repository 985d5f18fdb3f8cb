"""Decoding of a batch of prompts, one token per step: with the library for any model, with a lean path for Llamas on the CPU.

Both return the next-token logits of every row; `readbench.models.writing.generation` picks tokens and decides when a row is done.
The lean path takes a fourth of the library's time on the lab's teacher: keys and values stay in C++ (`readbench._core`), each row's
at its own length, so that nothing is masked, padded or copied from step to step.

Shapes: B rows, width d, V the vocabulary.
"""

import inspect
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from readbench import _core
from readbench.models.lean.kernels import gated, normal
from readbench.models.lean.llama import is_known
from readbench.models.lean.products import BLOCK, SMALL_BLOCK, filled
from readbench.models.lean.weights import attention_weights, gated_weights, head_weights, turns

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
        """Reads the prompts; what all of them begin with (a chat's system prompt) is read once."""
        rows, width = len(prompts), max(len(ids) for ids in prompts)
        angles = turns(self._rotary, width + max_new_tokens).numpy()
        shared = _shared_prefix(prompts)
        self._caches = [_core.AttentionCache(1 if shared else rows, angles, self._heads, self._groups) for _ in self._layers]
        if shared:
            self._append([prompts[0][:shared]], 0)
            self.keep(torch.zeros(rows, dtype=torch.int64))
        at_once = max(_READ_TOKENS // width, 1)
        parts = [self._append([ids[shared:] for ids in prompts[first : first + at_once]], first) for first in range(0, rows, at_once)]
        return torch.cat(parts)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends a token to each row."""
        return self._logits(self._forward(tokens, torch.arange(len(tokens) + 1), 0, SMALL_BLOCK))[: len(tokens)]

    def keep(self, rows: torch.Tensor) -> None:
        """Keeps these rows, one as often as it is named."""
        for cache in self._caches:
            cache.keep(rows.numpy())

    def renewed(self) -> Decoder:
        """With the weights laid out anew."""
        return LeanDecoder(self._model)

    def _append(self, inputs: Prompts, first: int) -> torch.Tensor:
        """Appends tokens to the rows from `first` on; (B, V) logits of the next one of each."""
        starts = torch.tensor([0, *accumulate(map(len, inputs))])
        x = self._forward(torch.tensor([token for ids in inputs for token in ids]), starts, first, BLOCK)
        return self._logits(x)[: len(inputs)]

    def _forward(self, tokens: torch.Tensor, starts: torch.Tensor, first: int, block: int) -> torch.Tensor:
        """(B, d) the output at the last of the tokens of each row from `first` on, in whole blocks; `starts` (B + 1,) are theirs."""
        x, last = self._embedding[filled(tokens, block)], starts[1:] - 1
        for (attention, gated_perceptron), cache in zip(self._layers, self._caches, strict=True):
            z = functional.linear(normal(x, attention.epsilon)[0], attention.project, attention.bias)
            mixed = torch.zeros(len(x), attention.out.shape[1])
            cache.attend(z.numpy(), starts.numpy(), first, mixed.numpy())
            if cache is self._caches[-1] and len(last) < len(tokens):
                chosen = filled(last, SMALL_BLOCK)
                x, mixed = x[chosen], mixed[chosen]
            x = torch.addmm(x, mixed, attention.out.t())
            hidden = gated(functional.linear(normal(x, gated_perceptron.epsilon)[0], gated_perceptron.gate_up))
            x = torch.addmm(x, hidden, gated_perceptron.down.t())
        return x

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(normal(x, self._head.epsilon)[0], self._head.weight)


def _shared_prefix(prompts: Prompts) -> int:
    """How many tokens all prompts begin with, worth reading apart; each keeps one of its own."""
    first, *others = prompts
    most = min(len(ids) for ids in prompts) - 1
    shared = next((place for place in range(most) if any(ids[place] != first[place] for ids in others)), most)
    return shared if others and shared >= _WORTH_SHARING else 0
