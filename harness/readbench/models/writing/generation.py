"""Answers from any causal language model, in batches: the teacher's supervision and the student's sample answers, which are greedy, and
the student's rollouts, which are drawn (`readbench.models.writing.sampling`).

An answer must not depend on what else is in its batch: trials use different batches, and runs are compared bit for bit.
But floating-point sums depend on a batch's shape, so a near tie between the two best tokens can fall either
way. Where they are nearer than `TIE`, rounding may have decided. There the token is that of a
forward of the prompt and the answer so far, alone: the canonical one. (fp32 logits of one prompt differ by about 1e-5 between batches
on the lab's teacher, and by 5e-5 on SmolLM2-135M, whose logits reach 30. A trained teacher has a near tie in less than 1 % of its rows,
a small chat model in one of twenty.)

The loop is our own, not `generate`: it records near ties without a logits processor, asks a repeated prompt once, drops
finished rows, and allows a lean decoder (`readbench.models.writing.decoding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from readbench.api import Response
from readbench.models.text import turn_end
from readbench.models.writing.decoding import Decoder
from readbench.models.writing.limits import BATCH_ROWS, BATCH_TOKENS
from readbench.models.writing.sampling import Sampling, drawn, most_likely

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Asked = tuple[tuple[int, ...], int]  # a prompt as tokens, and the seed of its answer (0 for a greedy one)


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as the model wrote it."""

    ids: tuple[int, ...]  # with the end of the turn, if it is finished
    text: str
    finished: bool


@dataclass
class _Row:
    """One prompt's answer in progress."""

    tokens: list[int]
    ties: list[int] = field(default_factory=list)  # places in `tokens` that rounding may have decided
    finished: bool = False


class Writer:
    """A loaded model that answers."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", decoder: Decoder) -> None:
        self.tokenizer = tokenizer
        self.decoder = decoder
        self._ends = ends_of(model, tokenizer)

    def respond(self, prompts: Sequence[tuple[int, ...]], *, max_new_tokens: int) -> list[Response]:
        """Greedy answers, in order, to prompts rendered as tokens that leave room for the answer."""
        written = self._write([(ids, 0) for ids in prompts], max_new_tokens, None)
        return [Response(text=each.text, tokens=len(each.ids), finished=each.finished) for each in written]

    def sample(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], *, sampling: Sampling, max_new_tokens: int) -> list[Written]:
        """Answers drawn from the model's distribution, in order; one prompt with one seed has one answer, whatever else is asked."""
        return self._write(list(zip(prompts, seeds, strict=True)), max_new_tokens, sampling)

    def _write(self, asked: Sequence[Asked], max_new_tokens: int, sampling: Sampling | None) -> list[Written]:
        rows: dict[Asked, _Row] = {}
        with torch.inference_mode():
            each_once = sorted(set(asked), key=lambda one: (len(one[0]), one))
            for batch in _batches(each_once, max_new_tokens, mixed=self.decoder.mixes):
                decoded = self._decode(batch, 0, max_new_tokens, sampling)
                rows.update((one, self._settled(one, row, max_new_tokens, sampling)) for one, row in zip(batch, decoded, strict=True))
        return [written_as(self.tokenizer, rows[one].tokens, finished=rows[one].finished) for one in asked]

    def _settled(self, asked: Asked, row: _Row, max_new_tokens: int, sampling: Sampling | None) -> _Row:
        """The row with its near ties decided alone; where one falls the other way, the rest is decoded again, alone."""
        prompt, seed = asked
        while row.ties:
            place = row.ties.pop(0)
            before = row.tokens[:place]
            logits = self.decoder.start([(*prompt, *before)], 1)
            token = int(_chosen(logits, sampling, [seed], place)[0])
            if token == row.tokens[place]:
                continue
            tokens = [*before, token]
            if token in self._ends or len(tokens) == max_new_tokens:
                return _Row(tokens, finished=token in self._ends)
            (rest,) = self._decode([((*prompt, *tokens), seed)], len(tokens), max_new_tokens - len(tokens), sampling)
            row = _Row(tokens + rest.tokens, [tie + len(tokens) for tie in rest.ties], rest.finished)
        return row

    def _decode(self, asked: Sequence[Asked], written: int, max_new_tokens: int, sampling: Sampling | None) -> list[_Row]:
        """Decodes one batch, of whose answers `written` tokens are in the prompts; finished rows are dropped once they are half of it."""
        decoder, ends = self.decoder, self._ends
        rows = [_Row([]) for _ in asked]
        alive = list(range(len(asked)))  # the row that each line of the batch belongs to
        logits = self._started([prompt for prompt, _ in asked], max_new_tokens)
        for place in range(written, written + max_new_tokens):
            chosen, near = _chosen(logits, sampling, [asked[index][1] for index in alive], place)
            for index, token, tie in zip(alive, chosen.tolist(), near.tolist(), strict=True):
                row = rows[index]
                if not row.finished:
                    if tie:
                        row.ties.append(len(row.tokens))
                    row.tokens.append(token)
                    row.finished = token in ends
            lines = [line for line, index in enumerate(alive) if not rows[index].finished]
            if not lines or place == written + max_new_tokens - 1:
                break
            if 2 * len(lines) <= len(alive):
                kept = torch.tensor(lines, device=logits.device)
                alive = [alive[line] for line in lines]
                chosen = chosen[kept]
                decoder.keep(kept)
            logits = decoder.step(chosen)
        return rows

    def _started(self, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> torch.Tensor:
        """(B, V) after the prompts; one that many answers begin with is read once."""
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        logits = self.decoder.start(list(places), max_new_tokens)
        if len(places) == len(prompts):
            return logits
        lines = torch.tensor([places[prompt] for prompt in prompts], device=logits.device)
        self.decoder.keep(lines)
        return logits[lines]


def ends_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """The tokens that end an answer: chat models end a turn and a text with different ones."""
    stated = getattr(model.generation_config, "eos_token_id", None)
    return frozenset({tokenizer.eos_token_id, turn_end(tokenizer), *(stated if isinstance(stated, list) else [stated])} - {None})


def written_as(tokenizer: "PreTrainedTokenizerBase", tokens: Sequence[int], *, finished: bool) -> Written:
    """An answer of these tokens, with the end of the turn if it is finished."""
    text = tokenizer.decode(list(tokens[:-1] if finished else tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Written(tuple(tokens), str(text), finished)


def _chosen(logits: torch.Tensor, sampling: Sampling | None, seeds: Sequence[int], place: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) the next token of each answer, at one place of all, and (B,) whether rounding may have decided it."""
    if sampling is None:
        return most_likely(logits)
    each = torch.tensor(seeds, dtype=torch.int64, device=logits.device)
    return drawn(logits, sampling, each, torch.full_like(each, place))


def _batches(asked: Sequence[Asked], max_new_tokens: int, *, mixed: bool) -> list[list[Asked]]:
    """Runs of length-sorted prompts within a batch's limits; each run has one length if lengths may not be mixed."""
    batches: list[list[Asked]] = []
    for one in asked:
        batch, length = batches[-1] if batches else [], len(one[0])
        fits = len(batch) < BATCH_ROWS and (len(batch) + 1) * (length + max_new_tokens) <= BATCH_TOKENS
        if batch and fits and (mixed or len(batch[0][0]) == length):
            batch.append(one)
        else:
            batches.append([one])
    return batches
