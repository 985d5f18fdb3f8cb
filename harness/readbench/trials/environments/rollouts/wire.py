"""How a vLLM server is asked to take weights over and to draw answers, and how its answers are read, strictly (vLLM 0.32).

``POST /v1/completions`` with a prompt of token ids, ``return_token_ids`` and ``logprobs: 0``: ``choices[0].token_ids`` are the tokens
that were drawn, the end of the turn among them, ``logprobs.token_logprobs`` what the model held of them at temperature 1.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from readbench.api import Vector
from readbench.models.writing.sampling import Sampling
from readbench.teachers.endpoint.faults import Fault, one_line

ADAPTER = "readbench"  # the name that a trained adapter is served by
_LOWEST = -9998.0  # vLLM writes −∞ as -9999: JSON has no other


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the server besides answers, and what helps where it refuses."""

    path: str
    body: Mapping[str, Any]
    hint: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """An answer as the server drew it."""

    ids: tuple[int, ...]  # with the end of the turn, if it is finished
    finished: bool
    logprobs: Vector  # of the ids, at temperature 1


def reload_requests(folder: Path) -> list[Request]:
    """Takes over the whole model in a folder."""
    hint = "start vLLM with VLLM_SERVER_DEV_MODE=1, and let it see the weights by the same path (sampler.folder)"
    return [
        Request("/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}, hint),
        Request("/reset_prefix_cache", {}, hint),
    ]


def adapter_request(folder: Path) -> Request:
    """Takes over the adapter in a folder, in place of the last one."""
    hint = (
        "start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, --enable-lora and a --max-lora-rank of at least training.lora.rank,"
        " and let it see the weights by the same path (sampler.folder)"
    )
    return Request("/v1/load_lora_adapter", {"lora_name": ADAPTER, "lora_path": str(folder), "load_inplace": True}, hint)


def draw_request(ids: Sequence[int], seed: int, sampling: Sampling, max_new_tokens: int, ends: Collection[int]) -> dict[str, Any]:
    """Draws one answer; what a model's folder recommends of sampling is overruled."""
    return {
        "prompt": list(ids),
        "max_tokens": max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": seed,
        "stop_token_ids": sorted(ends),
        "return_token_ids": True,
        "logprobs": 0,
    }


def parse_served(content: bytes) -> str:
    """The name of the model that a vLLM server began with; Fault for another kind of server."""
    try:
        listed = json.loads(content)["data"]
        (name,) = (str(each["id"]) for each in listed if each["owned_by"] == "vllm" and each.get("parent") is None)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Fault("it does not list one model as vLLM does", refused=True) from None
    return name


def parse_drawn(content: bytes, request: Mapping[str, Any], *, num_tokens: int) -> Drawn:
    """The answer to `draw_request` of a model that has so many tokens; Fault for one that is not whole, or not of these tokens."""
    try:
        (choice,) = json.loads(content)["choices"]
        reason = choice["finish_reason"]
        if reason == "abort":
            raise Fault("it gave the answer up", retry=True)
        ids, read = choice["token_ids"], choice["prompt_token_ids"]
        values = choice["logprobs"]["token_logprobs"]
        if any(type(each) is not int or not 0 <= each < num_tokens for each in ids):
            raise ValueError(f"token ids are whole numbers below {num_tokens}")
        if any(type(each) not in (int, float) for each in values):
            raise TypeError("log-probabilities are numbers")
        logprobs = np.array([float(each) for each in values])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Fault(f"its answer is not as vLLM gives it ({one_line(f'{type(error).__name__}: {error}')})") from None
    if read != request["prompt"]:
        raise Fault("it read another prompt")
    if not 0 < len(ids) <= request["max_tokens"] or len(logprobs) != len(ids):
        raise Fault(f"it gives {len(ids)} tokens and {len(logprobs)} log-probabilities, of at most {request['max_tokens']}")
    if not np.all((logprobs > _LOWEST) & (logprobs <= 1e-3)):
        raise Fault("it gives a log-probability that is none")
    finished = reason == "stop"
    if finished != (ids[-1] in request["stop_token_ids"]):
        raise Fault(f"its answer ends with token {ids[-1]} and the reason {one_line(repr(reason))}")
    if not finished and len(ids) < request["max_tokens"]:
        raise Fault(
            f"it ended an answer after {len(ids)} of {request['max_tokens']} tokens: its context is full",
            hint="start the server with a longer context (--max-model-len), or use a smaller max_new_tokens",
        )
    return Drawn(tuple(ids), finished, logprobs)
