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

from readbench.api import Scored, Vector
from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.faults import Fault, one_line
from readbench.teachers.endpoint.request import Endpoint

SERVERS = ("vllm", "sglang")
_REPEATED = 0.1  # nats: half precision and other batches move a log-probability by some hundredths
_ABOVE = 1e-3  # nats that rounding may lift a log-probability above 0


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


def body_of(endpoint: Endpoint, server: str, tokens: Sequence[int]) -> dict[str, Any]:
    """A request for the log-probabilities of a sequence's tokens; the one token that must be generated is thrown away."""
    if server == "vllm":
        return {"model": endpoint.model, "prompt": list(tokens), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    sampling = {"max_new_tokens": 1, "temperature": 0}
    return {"input_ids": list(tokens), "sampling_params": sampling, "return_logprob": True, "logprob_start_len": 0}


def parse_scores(server: str, content: bytes, sequence: Scored) -> tuple[list[float], int]:
    """The log-probabilities of a sequence's tokens after its prompt, and the prompt tokens that it reports (0: it reports none)."""
    tokens, prompt_length = sequence
    try:
        answer = json.loads(content)
        found, reported = (_vllm if server == "vllm" else _sglang)(answer)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise Fault(f"its answer holds no log-probabilities of the prompt as {server} gives them ({reason})") from None
    if len(found) != len(tokens):
        raise Fault(f"it gives log-probabilities of {len(found)} tokens for {len(tokens)}")
    return [_value(found, tokens, place) for place in range(prompt_length, len(tokens))], reported


def _value(found: Sequence[Mapping[int, Any]], tokens: Sequence[int], place: int) -> float:
    at = found[place]
    value = at.get(tokens[place])
    if value is None:
        held = f"it holds those of {', '.join(map(str, sorted(at)[:3]))}" if at else "it holds none"
        raise Fault(f"it gives no log-probability of token {tokens[place]} at place {place}: {held}; is its tokenizer the student's?")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value > _ABOVE:
        raise Fault(f"it gives {one_line(repr(value))} as the log-probability of a token")
    return min(float(value), 0.0)


def _vllm(answer: Any) -> tuple[list[dict[int, Any]], int]:
    (choice,) = answer["choices"]
    places = [{} if each is None else {int(key): value["logprob"] for key, value in each.items()} for each in choice["prompt_logprobs"]]
    return places, _count((answer.get("usage") or {}).get("prompt_tokens", 0))


def _sglang(answer: Any) -> tuple[list[dict[int, Any]], int]:
    about = answer["meta_info"]
    places = [{} if value is None else {int(token): value} for value, token, *_ in about["input_token_logprobs"]]
    return places, _count(about.get("prompt_tokens", 0))


def _count(reported: Any) -> int:
    if type(reported) is not int or not 0 <= reported < 2**31:
        raise ValueError(f"prompt_tokens is {reported!r}")
    return reported


def differs(first: Vector, second: Vector) -> str:
    """What is wrong if one sequence that was scored twice has two scores, or an empty text."""
    apart = max((abs(one - other) for one, other in zip(first, second, strict=True)), default=0.0)
    return f"the same tokens scored twice differ by {apart:.2g} nats" if apart > _REPEATED else ""
