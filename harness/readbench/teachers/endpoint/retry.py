"""When to ask again: exponential back-off with jitter, pure arithmetic.

Before attempt n + 1 the wait is a share in [1/2, 1) of ``base · 2^(n-1)`` seconds, at most `LONGEST_SECONDS`: workers that failed
together do not come back together. The share is drawn from a derived seed, so that a run repeats. An endpoint that asks for
more time than that (Retry-After) gets it up to `LONGEST_SECONDS`; beyond, the run is stopped instead, to be resumed then.
"""

import random
from dataclasses import dataclass

LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a prompt is asked, and how long between."""

    attempts: int
    base_seconds: float

    def delay(self, attempt: int, *, wait_seconds: float | None, seed: int) -> float | None:
        """Seconds to wait after that many attempts, or None: give up."""
        if attempt >= self.attempts or (wait_seconds or 0.0) > LONGEST_SECONDS:
            return None
        backoff = min(LONGEST_SECONDS, self.base_seconds * 2.0 ** (attempt - 1)) * (0.5 + random.Random(seed).random() / 2)
        return max(wait_seconds or 0.0, backoff)
