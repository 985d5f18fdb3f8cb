"""When to ask again: exponential back-off with jitter.

Before attempt n + 1 the wait is a share in [1/2, 1) of ``base · 2^(n-1)`` seconds, at most `LONGEST_SECONDS`: workers that failed
together do not come back together. The share is drawn from a derived seed, so that a run repeats. An endpoint that asks for
more time than that (Retry-After) gets it up to `LONGEST_SECONDS`; beyond, the run is stopped instead, to be resumed then.
"""

import random
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential

from readbench.base.seeds import derive_seed
from readbench.teachers.endpoint.faults import Fault

LONGEST_SECONDS = 120.0
Sleep = Callable[[float], Awaitable[None]]


def retrying(prompt: str, *, attempts: int, base_seconds: float, sleep: Sleep) -> AsyncRetrying:
    """Asks for one prompt until there is an answer; the last `Fault` where all attempts fail, or where another would not help."""
    whole = wait_exponential(multiplier=base_seconds, max=LONGEST_SECONDS)

    def wait(state: RetryCallState) -> float:
        share = 0.5 + random.Random(derive_seed("retry", prompt, state.attempt_number)).random() / 2
        fault = None if state.outcome is None else state.outcome.exception()
        asked_for = fault.wait_seconds if isinstance(fault, Fault) else None
        return max(asked_for or 0.0, whole(state) * share)

    return AsyncRetrying(sleep=sleep, stop=stop_after_attempt(attempts), wait=wait, retry=retry_if_exception(_may_pass), reraise=True)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Fault) and error.retry and (error.wait_seconds or 0.0) <= LONGEST_SECONDS
