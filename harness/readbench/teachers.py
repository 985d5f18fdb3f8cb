"""Teachers: a local model that answers greedily in batches, and a cache of responses that all trials of a run share.

A response must not depend on what else was asked with it: trials ask in different batches, and runs are compared bit for
bit. But floating-point sums depend on a batch's shape, and a near tie between the two most likely tokens can fall the
other way. So the smallest margin between the two largest logits is kept for every row; a row whose margin is below
`_TIE` was decided by rounding and is answered again, alone, which is the canonical answer. (fp32 logits of one prompt
differ by about 1e-5 between batches; `_TIE` is a hundred times that, and below 1 % of a trained teacher's rows.)

The loop is our own, not `generate`: it keeps the margins without a logits processor, asks a repeated prompt once, drops rows
that are done, and leaves room for a lean decoder (`readbench.decoding`).
"""

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from readbench import models
from readbench.api import Response, Teacher
from readbench.decoding import Decoder, decoder_for
from readbench.errors import ConfigError
from readbench.memory import keep_freed_memory
from readbench.responses import ResponseCache

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["CachedTeacher", "LocalTeacher", "ResponseCache"]

_TIE = 1e-3  # logits
_BATCH_ROWS = 128
_BATCH_TOKENS = 16384  # prompts and new tokens of a batch, at most: bounds the key-value cache
_DECODING = "greedy-1"  # changes when the same model would answer differently


@dataclass
class _Row:
    """One prompt's answer while it is written."""

    tokens: list[int]
    margin: float = float("inf")  # smallest so far
    finished: bool = False


@dataclass(frozen=True)
class _Loaded:
    tokenizer: "PreTrainedTokenizerBase"
    ends: frozenset[int]  # tokens that end a response
    decoder: Decoder


class LocalTeacher:
    """A Hugging Face causal language model; loaded when it is first asked."""

    def __init__(self, path: Path, *, device: str) -> None:
        models.check_model(path)
        self._path = path
        self._device = device
        self._context = models.context_length(path)

    def fingerprint(self) -> str:
        """Content of the model folder and way of decoding."""
        return f"{models.fingerprint(self._path)}:{_DECODING}"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """Greedy responses, in order; ConfigError where a prompt does not fit the teacher's context."""
        rendered = [tuple(models.render(self._loaded.tokenizer, prompt)) for prompt in prompts]
        for ids in rendered:
            if len(ids) + max_new_tokens > self._context:
                raise ConfigError(
                    f"a prompt has {len(ids)} tokens, and {max_new_tokens} new ones do not fit the teacher's context of {self._context}",
                    hint="use shorter prompts, a smaller max_new_tokens, or a teacher with a longer context",
                )
        rows: dict[tuple[int, ...], _Row] = {}
        with torch.inference_mode():
            for batch in _batches(sorted(set(rendered), key=lambda ids: (len(ids), ids)), max_new_tokens, mixed=self._loaded.decoder.mixes):
                rows.update(zip(batch, self._decode(batch, max_new_tokens), strict=True))
                for ids in batch:
                    if len(batch) > 1 and rows[ids].margin < _TIE:
                        (rows[ids],) = self._decode([ids], max_new_tokens)
        return [self._response(rows[ids]) for ids in rendered]

    @functools.cached_property
    def _loaded(self) -> _Loaded:
        keep_freed_memory()
        model = models.load_causal_lm(self._path, self._device)
        tokenizer = models.load_tokenizer(self._path)
        stated = getattr(model.generation_config, "eos_token_id", None)  # chat models end a turn with another token than a text
        ends = {tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])} - {None}
        return _Loaded(tokenizer, frozenset(ends), decoder_for(model))

    def _decode(self, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[_Row]:
        """Greedy decoding of one batch; rows that are done leave it when half of it is done."""
        decoder, ends = self._loaded.decoder, self._loaded.ends
        rows = [_Row([]) for _ in prompts]
        alive = list(range(len(prompts)))  # the row behind each line of the batch
        logits = decoder.start(prompts, max_new_tokens)
        while True:
            best = logits.topk(2, dim=-1)
            chosen = best.indices[:, 0]
            margins = (best.values[:, 0] - best.values[:, 1]).tolist()
            for line, token in enumerate(chosen.tolist()):
                row = rows[alive[line]]
                if not row.finished:
                    row.tokens.append(token)
                    row.margin = min(row.margin, margins[line])
                    row.finished = token in ends
            lines = [line for line, index in enumerate(alive) if not rows[index].finished]
            if not lines or len(rows[alive[lines[0]]].tokens) == max_new_tokens:
                return rows
            if 2 * len(lines) <= len(alive):
                kept = torch.tensor(lines, device=logits.device)
                alive = [alive[line] for line in lines]
                chosen = chosen[kept]
                decoder.keep(kept)
            logits = decoder.step(chosen)

    def _response(self, row: _Row) -> Response:
        ids = row.tokens[:-1] if row.finished else row.tokens
        text = self._loaded.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Response(text=str(text), tokens=len(row.tokens), finished=row.finished)


def _batches(prompts: Sequence[tuple[int, ...]], max_new_tokens: int, *, mixed: bool) -> list[list[tuple[int, ...]]]:
    """Runs of prompts sorted by length, within the limits of a batch; of one length each where lengths may not be mixed."""
    batches: list[list[tuple[int, ...]]] = []
    for ids in prompts:
        batch = batches[-1] if batches else []
        fits = len(batch) < _BATCH_ROWS and (len(batch) + 1) * (len(ids) + max_new_tokens) <= _BATCH_TOKENS
        if batch and fits and (mixed or len(batch[0]) == len(ids)):
            batch.append(ids)
        else:
            batches.append([ids])
    return batches


class CachedTeacher:
    """Asks its teacher only what the cache does not hold, each prompt once, and stores the answers before they are used."""

    def __init__(self, teacher: Teacher, cache: ResponseCache) -> None:
        self._teacher = teacher
        self._cache = cache
        self.seconds = 0.0  # spent in the teacher
        self.asked = 0  # prompts that it was asked

    def fingerprint(self) -> str:
        """The teacher's."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self) -> str:
        return self._teacher.fingerprint()

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """One response a prompt, in order."""
        known = self._cache.get(self._fingerprint, prompts, max_new_tokens=max_new_tokens)
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if missing:
            began = time.perf_counter()
            responses = self._teacher.respond(missing, max_new_tokens=max_new_tokens)
            self.seconds += time.perf_counter() - began
            self.asked += len(missing)
            known |= self._cache.put(self._fingerprint, dict(zip(missing, responses, strict=True)), max_new_tokens=max_new_tokens)
        return [known[prompt] for prompt in prompts]
