"""Commits while the work goes on: the disk writes interval t while interval t + 1 is taught, the last one while the student is evaluated.

A commit waits on the disk for tens of milliseconds; an interval of a small student takes half a second. Each commit writes
a snapshot taken before; commits run one after another, in order; a commit that fails stops the trial at the next one.
A kill in between loses the uncommitted interval, and a resume repeats it, bit for bit.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Commits:
    """One thread and at most one commit that is not on disk yet; when the block ends, all are on disk."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="commits")
        self._pending: Future[None] | None = None

    def submit(self, commit: Callable[[], None]) -> None:
        """Starts the commit once the previous one is on disk; raises what that one raised."""
        self._wait()
        self._pending = self._executor.submit(commit)

    def follow(self, report: Callable[[], None]) -> None:
        """Reports behind the last commit, unless that fails."""
        before = self._pending

        def work() -> None:
            if before is not None:
                before.result()  # has ended: there is one thread
            report()

        self._pending = self._executor.submit(work)

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> "Commits":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._wait()
        finally:
            self._executor.shutdown()
