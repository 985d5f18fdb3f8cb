"""Greedy answers from any causal language model, in batches: the teacher's supervision and the student's sample answers.

A response must not depend on what else is in its batch: trials use different batches, and runs are compared bit for bit.
But floating-point sums depend on a batch's shape, so a near tie between the two most likely tokens can fall either
way. Where the margin between the two largest logits is below `_TIE`, rounding may have decided. There the token is that of a
forward of the prompt and the answer so far, alone: the canonical one. Rounding grows with the logits, so beyond 10 the margin counts
relative to them. (fp32 logits of one prompt differ by about 1e-5 between batches on the lab's teacher, and by 5e-5 on SmolLM2-135M,
whose logits reach 30. A trained teacher has a near tie in less than 1 % of its rows, a small chat model in one of twenty.)

The loop is our own, not `generate`: it records margins without a logits processor, asks a repeated prompt once, drops
finished rows, and allows a lean decoder (`readbench.models.decoding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from readbench.api import Response
from readbench.models.decoding import decoder_for
from readbench.models.text import turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TIE = 1e-3  # logits
_BATCH_ROWS = 128
_BATCH_TOKENS = 16384  # at most, of prompts and new tokens in a batch: bounds the key-value cache


@dataclass
class _Row:
    """One prompt's answer in progress."""

    tokens: list[int]
    ties: list[int] = field(default_factory=list)  # places in `tokens` that rounding may have decided
    finished: bool = False


class Greedy:
    """A loaded model that answers."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
        stated = getattr(model.generation_config, "eos_token_id", None)  # chat models end a turn and a text with different tokens
        self.tokenizer = tokenizer
        self.decoder = decoder_for(model)
        self._ends = frozenset({tokenizer.eos_token_id, turn_end(tokenizer), *(stated if isinstance(stated, list) else [stated])} - {None})

    def respond(self, prompts: Sequence[tuple[int, ...]], *, max_new_tokens: int) -> list[Response]:
        """Answers, in order, to prompts rendered as tokens that leave room for the answer."""
        rows: dict[tuple[int, ...], _Row] = {}
        with torch.inference_mode():
            for batch in _batches(sorted(set(prompts), key=lambda ids: (len(ids), ids)), max_new_tokens, mixed=self.decoder.mixes):
                decoded = self._decode(batch, max_new_tokens)
                rows.update((ids, self._settled(ids, row, max_new_tokens)) for ids, row in zip(batch, decoded, strict=True))
        return [self._response(rows[ids]) for ids in prompts]

    def _settled(self, prompt: tuple[int, ...], row: _Row, max_new_tokens: int) -> _Row:
        """The row with its near ties decided alone; where one falls the other way, the rest is decoded again, alone."""
        while row.ties:
            place = row.ties.pop(0)
            before = row.tokens[:place]
            token = int(self.decoder.start([(*prompt, *before)], 1)[0].argmax())
            if token == row.tokens[place]:
                continue
            tokens = [*before, token]
            if token in self._ends or len(tokens) == max_new_tokens:
                return _Row(tokens, finished=token in self._ends)
            (rest,) = self._decode([(*prompt, *tokens)], max_new_tokens - len(tokens))
            row = _Row(tokens + rest.tokens, [tie + len(tokens) for tie in rest.ties], rest.finished)
        return row

    def _decode(self, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> list[_Row]:
        """Decodes one batch greedily; finished rows are dropped once half of the batch is finished."""
        decoder, ends = self.decoder, self._ends
        rows = [_Row([]) for _ in prompts]
        alive = list(range(len(prompts)))  # the row that each line of the batch belongs to
        logits = decoder.start(prompts, max_new_tokens)
        while True:
            best = logits.topk(2, dim=-1)
            chosen = best.indices[:, 0]
            largest, second = best.values.unbind(1)
            margins = ((largest - second) / (largest.abs() / 10).clamp(min=1)).tolist()
            for line, token in enumerate(chosen.tolist()):
                row = rows[alive[line]]
                if not row.finished:
                    if margins[line] < _TIE:
                        row.ties.append(len(row.tokens))
                    row.tokens.append(token)
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
    """Runs of length-sorted prompts within a batch's limits; each run has one length if lengths may not be mixed."""
    batches: list[list[tuple[int, ...]]] = []
    for ids in prompts:
        batch = batches[-1] if batches else []
        fits = len(batch) < _BATCH_ROWS and (len(batch) + 1) * (len(ids) + max_new_tokens) <= _BATCH_TOKENS
        if batch and fits and (mixed or len(batch[0]) == len(ids)):
            batch.append(ids)
        else:
            batches.append([ids])
    return batches
