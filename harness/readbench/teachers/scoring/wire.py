"""How servers are asked for the log-probabilities of given tokens, and how their answers are read, strictly.

vLLM: ``POST BASE/completions`` with token ids as the prompt and ``prompt_logprobs: 0``; of each position the answer holds
``{token id: {"logprob": x}}``, null for the first. SGLang: ``POST /generate`` (beside BASE's last part) with ``input_ids`` and
``return_logprob``; ``meta_info.input_token_logprobs`` holds ``[x, token id, text]``, with null for the first x. Neither applies a
temperature to them. A missing, shifted, unknown or infinite value is a fault: none of them is ever taken for a number.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from readbench.api import Scored, Vector
from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.faults import Fault, one_line
from readbench.teachers.endpoint.request import Endpoint

SERVERS = ("vllm", "sglang")
_REPEATED = 0.1  # nats: half precision and other batches move a log-probability by some hundredths
_MASS = 0.01  # that rounding may put beyond 1
_ABOVE = 1e-3  # nats that rounding may lift a log-probability above 0
_MINUS_INFINITY = -9999.0  # as vLLM writes it: JSON has no other


def check_server(server: str, *, tokenizer: str) -> str:
    """The server's kind; ConfigError for one that is not known, or where nothing says which ids it takes."""
    if server and server not in SERVERS:
        raise ConfigError(f"params.teacher.openai.scores is {server!r}", hint=f"it must be {' or '.join(SERVERS)}, or empty")
    if server and not tokenizer:
        raise ConfigError(
            "params.teacher.openai.scores needs the teacher's tokenizer: the endpoint is sent token ids",
            hint="set params.teacher.openai.tokenizer to its folder or hub id",
        )
    return server


def target_of(endpoint: Endpoint, server: str) -> str:
    """Where a request for scores goes."""
    base = endpoint.address.base
    return f"{base}/completions" if server == "vllm" else f"{base.removesuffix('/v1')}/generate"


def body_of(endpoint: Endpoint, server: str, tokens: Sequence[int], k: int) -> dict[str, Any]:
    """A request for the log-probabilities of a sequence's tokens, or of the k most probable; what is generated is thrown away."""
    if server == "vllm":
        return {"model": endpoint.model, "prompt": list(tokens), "max_tokens": 1, "temperature": 0, "prompt_logprobs": k}
    sampling = {"max_new_tokens": 1, "temperature": 0}
    body = {"input_ids": list(tokens), "sampling_params": sampling, "return_logprob": True, "logprob_start_len": 0}
    return body | ({"top_logprobs_num": k} if k else {})


def parse_scores(server: str, content: bytes, sequence: Scored, k: int) -> tuple[Vector, int]:
    """The log-probabilities of a sequence's tokens after its prompt, and the prompt tokens that it reports (0: it reports none).

    With k a matrix as `readbench.api.ScoringTeacher.top` has it.
    """
    tokens, prompt_length = sequence
    try:
        answer = json.loads(content)
        found, reported = _vllm(answer) if server == "vllm" else _sglang(answer, k)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise Fault(f"its answer holds no log-probabilities of the prompt as {server} gives them ({reason})") from None
    if len(found) != len(tokens):
        raise Fault(f"it gives log-probabilities of {len(found)} tokens for {len(tokens)}")
    places = range(prompt_length, len(tokens))
    if k:
        return np.array([_top(found[place], tokens[place], place, k) for place in places]).reshape(-1, 2 * k + 1), reported
    return np.array([_value(found[place], tokens[place], place) for place in places]), reported


def _value(at: Mapping[int, Any], token: int, place: int) -> float:
    value = at.get(token)
    if value is None:
        held = f"it holds those of {', '.join(map(str, sorted(at)[:3]))}" if at else "it holds none"
        raise Fault(f"it gives no log-probability of token {token} at place {place}: {held}; is its tokenizer the student's?")
    return _checked(value)


def _checked(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _MINUS_INFINITY < value <= _ABOVE:
        raise Fault(f"it gives {one_line(repr(value))} as the log-probability of a token")
    return min(float(value), 0.0)


def _top(at: Mapping[int, Any], token: int, place: int, k: int) -> list[float]:
    """Ids and log-probabilities of the k most probable tokens, and the logarithm of what they leave.

    The sequence's own token must be among those that are given: its absence shows that the answer is of another place.
    """
    _value(at, token, place)
    best = sorted(((_checked(value), id_) for id_, value in at.items()), key=lambda pair: (-pair[0], pair[1]))[:k]
    if len(best) < k:
        raise Fault(f"it gives {len(best)} of the {k} most probable tokens at place {place}")
    mass = sum(math.exp(value) for value, _ in best)
    if mass > 1.0 + _MASS:
        raise Fault(f"the {k} most probable tokens at place {place} have {mass:.3f} of the mass")
    rest = math.log1p(-mass) if mass < 1.0 else -math.inf
    return [*(float(id_) for _, id_ in best), *(value for value, _ in best), rest]


def _vllm(answer: Any) -> tuple[list[dict[int, Any]], int]:
    (choice,) = answer["choices"]
    if choice.get("finish_reason") == "abort":
        raise Fault("it gave a sequence up half-way (finish_reason 'abort')", retry=True)
    places = [{} if each is None else {int(key): value["logprob"] for key, value in each.items()} for each in choice["prompt_logprobs"]]
    return places, _count((answer.get("usage") or {}).get("prompt_tokens", 0))


def _sglang(answer: Any, k: int) -> tuple[list[dict[int, Any]], int]:
    about = answer["meta_info"]
    if (about.get("finish_reason") or {}).get("type") == "abort":
        raise Fault("it gave a sequence up half-way (finish_reason 'abort')", retry=True)
    places = [{} if value is None else {int(token): value} for value, token, *_ in about["input_token_logprobs"]]
    if k:  # the sequence's own token beside the most probable ones
        for own, top in zip(places, about["input_top_logprobs"], strict=True):
            own.update({int(token): value for value, token, *_ in top or ()})
    return places, _count(about.get("prompt_tokens", 0))


def _count(reported: Any) -> int:
    if type(reported) is not int or not 0 <= reported < 2**31:
        raise ValueError(f"prompt_tokens is {reported!r}")
    return reported


def differs(first: Vector, second: Vector) -> str:
    """What is wrong if one sequence that was scored twice has two scores, or an empty text."""
    if first.ndim == 2:  # of the most probable ones: ids may change places among equals
        k = first.shape[1] // 2
        first, second = first[:, k : 2 * k], second[:, k : 2 * k]
    apart = float(np.abs(first - second).max(initial=0.0))
    return f"the same tokens scored twice differ by {apart:.2g} nats" if apart > _REPEATED else ""
