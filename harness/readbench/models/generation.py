"""Greedy answers of any causal language model, in batches: the teacher's supervision, and the student's sample answers.

A response must not depend on what else was asked with it: trials ask in different batches, and runs are compared bit for
bit. But floating-point sums depend on a batch's shape, and a near tie between the two most likely tokens can fall the
other way. So the smallest margin between the two largest logits is kept for every row; a row whose margin is below
`_TIE` was decided by rounding and is answered again, alone, which is the canonical answer. (fp32 logits of one prompt
differ by about 1e-5 between batches; `_TIE` is a hundred times that, and below 1 % of a trained teacher's rows.)

The loop is our own, not `generate`: it keeps the margins without a logits processor, asks a repeated prompt once, drops rows
that are done, and leaves room for a lean decoder (`readbench.models.decoding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from readbench.api import Response
from readbench.models.decoding import decoder_for
from readbench.models.text import turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TIE = 1e-3  # logits
_BATCH_ROWS = 128
_BATCH_TOKENS = 16384  # prompts and new tokens of a batch, at most: bounds the key-value cache


@dataclass
class _Row:
    """One prompt's answer while it is written."""

    tokens: list[int]
    margin: float = float("inf")  # smallest so far
    finished: bool = False


class Greedy:
    """A loaded model that answers."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
        stated = getattr(model.generation_config, "eos_token_id", None)  # chat models end a turn with another token than a text
        self.tokenizer = tokenizer
        self.decoder = decoder_for(model)
        self._ends = frozenset({tokenizer.eos_token_id, turn_end(tokenizer), *(stated if isinstance(stated, list) else [stated])} - {None})

    def respond(self, prompts: Sequence[tuple[int, ...]], *, max_new_tokens: int) -> list[Response]:
        """Answers to prompts that are rendered as tokens and leave room for the answer, in order."""
        rows: dict[tuple[int, ...], _Row] = {}
        with torch.inference_mode():
            for batch in _batches(sorted(set(prompts), key=lambda ids: (len(ids), ids)), max_new_tokens, mixed=self.decoder.mixes):
                rows.update(zip(batch, self._decode(batch, max_new_tokens), strict=True))
                for ids in batch:
                    if len(batch) > 1 and rows[ids].margin < _TIE:
                        (rows[ids],) = self._decode([ids], max_new_tokens)
        return [self._response(rows[ids]) for ids in prompts]

    def _decode(self, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[_Row]:
        """Greedy decoding of one batch; rows that are done leave it when half of it is done."""
        decoder, ends = self.decoder, self._ends
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
        text = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
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
