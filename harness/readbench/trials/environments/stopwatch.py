"""Where a trial's time goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("allocator", "teacher", "rollout", "train", "probe", "eval")


class Stopwatch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._began = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time inside to a phase."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def lap(self) -> dict[str, float]:
        """The seconds since the last lap, by phase and in total."""
        now = time.perf_counter()
        lap = {**self.seconds, "total": now - self._began}
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._began = now
        return lap
