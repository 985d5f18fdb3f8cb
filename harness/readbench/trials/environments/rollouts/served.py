"""Rollouts that a vLLM server of the student writes, with the weights that the student has now.

Whenever training has changed the weights the student is saved in a folder that the server sees, and the server takes it over: the whole
model by ``/collective_rpc reload_weights`` (needs VLLM_SERVER_DEV_MODE=1), an adapter that is being trained by ``/v1/load_lora_adapter``
(needs VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora). A server may take weights over in part, or keep what it cached by the old
ones, without a word; so it says of each token how probable it held it, and a round whose tokens the student itself holds otherwise is
refused. What is compared is what was drawn, at temperature 1: rounding (bf16) moves such tokens little.

A server serves one student at a time. Answers are drawn by its random numbers: the same prompt, seed and weights need not bring the same
answer again on another machine, or in another batch.
"""

import asyncio
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from readbench.base import files
from readbench.base.errors import ReadbenchError, SurroundingError
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.models.ranks import Ranks
from readbench.models.writing.generation import Written, ends_of, written_as
from readbench.models.writing.sampling import Sampling
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError, Fault
from readbench.teachers.endpoint.retry import retrying
from readbench.teachers.endpoint.servers.address import parse_address
from readbench.teachers.endpoint.servers.client import exchange, open_client
from readbench.teachers.endpoint.settings import read_key
from readbench.trials.environments.rollouts.settings import SamplerConfig
from readbench.trials.environments.rollouts.wire import (
    ADAPTER,
    Drawn,
    Request,
    adapter_request,
    draw_request,
    parse_drawn,
    parse_served,
    reload_requests,
)

if TYPE_CHECKING:
    import httpx2
    import torch

Found = TypeVar("Found")
_BACKOFF_SECONDS = 1.0
_COMPARED = 128  # answers of a round, at most, that the student reads again: enough to tell weights apart


class ServedSampler:
    """Draws a student's answers at a server, as `readbench.models.language_model.LanguageModel.sample` does here."""

    def __init__(self, model: LanguageModel, config: SamplerConfig, *, steps_done: Callable[[], int], ranks: Ranks) -> None:
        """`steps_done` counts the changes of the weights."""
        self._model, self._config, self._ranks, self._steps_done = model, config, ranks, steps_done
        self._address = parse_address(config.url, "completions", called="the sampler's URL")
        self._folder = Path(config.folder) / "readbench-weights"  # emptied each time: what else is in the folder is not ours
        self._key = read_key(config.key_env)
        self._holds = -1  # the steps after which the server took the weights over
        self._serves = ""  # the name of its own model
        self._num_tokens = int(model.network.config.get_text_config().vocab_size)  # rows of the table
        self._adapts = False  # whether it is an adapter that was handed over
        self._apart = (0.0, 0)

    def figures(self) -> Mapping[str, tuple[float, int]]:
        """Of the last answers, how far the server's log-probabilities were from the student's own, in nats: sum and tokens."""
        return {"sampler_gap": self._apart}

    def sample(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], *, sampling: Sampling, max_new_tokens: int) -> list[Written]:
        """An answer to each prompt by each seed; EndpointError or EndpointRefusalError, in one line, where the server brings none.

        SurroundingError where the server holds other weights than the student.
        """
        self._model.check_room(prompts, max_new_tokens)
        steps = self._steps_done()
        taken_over = self._holds == steps
        weights = None if taken_over else self._model.whole_weights()  # of all ranks
        ends = ends_of(self._model.network, self._model.tokenizer)
        asked = [draw_request(ids, seed, sampling, max_new_tokens, ends) for ids, seed in zip(prompts, seeds, strict=True)]

        def work() -> list[Drawn]:
            requests = [] if taken_over else self._saved(weights)
            return asyncio.run(self._drawn(asked, requests))

        drawn = self._ranks.told(work)
        self._holds = steps
        self._compare(prompts, drawn)
        return [written_as(self._model.tokenizer, each.ids, finished=each.finished) for each in drawn]

    def _saved(self, weights: "dict[str, torch.Tensor] | None") -> list[Request]:
        """Saves what the server is to take over, and what is to be asked of it."""
        adapter = self._model.trained_adapter()
        self._adapts = adapter is not None

        def fill(staging: Path) -> None:
            if adapter is None:
                self._model.save_pretrained(staging, weights=weights)
            else:
                adapter.save(staging / "adapter", base=str(self._model.network.name_or_path))

        files.make_folder(self._folder.parent)
        files.publish_folder(self._folder, fill)
        return reload_requests(self._folder) if adapter is None else [adapter_request(self._folder / "adapter")]

    async def _drawn(self, asked: Sequence[Mapping[str, Any]], hand_over: Sequence[Request]) -> list[Drawn]:
        config = self._config
        async with open_client(
            near=self._address.near, key=self._key, connections=config.concurrency, deadline_seconds=config.deadline_seconds
        ) as client:
            if not self._serves:
                self._serves = await self._asked(client, f"{self._address.base}/models", None, parse_served)
            for request in hand_over:
                await self._asked(client, self._address.base.removesuffix("/v1") + request.path, request.body, _nothing, hint=request.hint)
            model = ADAPTER if self._adapts else self._serves
            gate = asyncio.Semaphore(config.concurrency)

            async def one(request: Mapping[str, Any]) -> Drawn:
                read = functools.partial(parse_drawn, request=request, num_tokens=self._num_tokens)
                async with gate:
                    return await self._asked(client, self._address.target, {"model": model, **request}, read)

            return list(await asyncio.gather(*(one(request) for request in asked)))

    async def _asked(
        self,
        client: "httpx2.AsyncClient",
        target: str,
        body: Mapping[str, Any] | None,
        read: Callable[[bytes], Found],
        *,
        hint: str = "",
    ) -> Found:
        """What is read from the answer, asked again after a fault that may pass."""

        async def attempt() -> Found:
            answer = await exchange(client, target, body, deadline_seconds=self._config.deadline_seconds, key=self._key)
            return read(answer.content)

        # taking weights over is asked once: where it fails the server may be gone
        attempts = 1 if hint else self._config.attempts
        again = retrying(target, attempts=attempts, base_seconds=_BACKOFF_SECONDS, sleep=asyncio.sleep)
        try:
            return await again(attempt)
        except Fault as fault:
            raise self._error(fault, hint) from None

    def _error(self, fault: Fault, hint: str) -> ReadbenchError:
        message = f"the sampler at {self._address.host}: {fault.message}"
        if fault.refused:
            return EndpointRefusalError(message, hint=hint or fault.hint or "check sampler.url, and the key if it needs one")
        return EndpointError(message, hint=hint or fault.hint or "see the server's log; then resume the run")

    def _compare(self, prompts: Sequence[tuple[int, ...]], drawn: Sequence[Drawn]) -> None:
        """SurroundingError unless the student holds the tokens as probable as the server did."""
        chosen = range(0, len(drawn), math.ceil(len(drawn) / _COMPARED))
        own = self._model.label_log_probabilities([Encoded((*prompts[n], *drawn[n].ids), len(prompts[n])) for n in chosen])
        apart = np.abs(np.concatenate(own) - np.concatenate([drawn[n].logprobs for n in chosen]))
        self._apart = float(apart.sum()), len(apart)
        if not apart.mean() <= self._config.tolerance:
            raise SurroundingError(
                f"the sampler at {self._address.host} holds other weights than the student: on what it wrote their log-probabilities differ"
                f" by {apart.mean():.2g} nats a token",
                hint="no other run may use the server; a tied output head is not taken over by vLLM on a CPU (train an adapter);"
                " where bf16 rounds so much, set sampler.tolerance",
            )


def _nothing(_: bytes) -> None:
    """The server did what it was asked."""
