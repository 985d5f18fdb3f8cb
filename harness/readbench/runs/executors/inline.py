"""Runs trials in the calling process, one after another: for a debugger, a profiler, and machines that allow no other process.

It is slower than a pool, imports torch into the caller and sets its number of threads to one.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from readbench.models.ranks import ALONE, Ranks
from readbench.runs.executors.base import Observer, WorkerConfig
from readbench.trials.briefing import Briefing
from readbench.trials.spec import TrialSpec

if TYPE_CHECKING:
    from readbench.runs.executors.worker import Worker

Answer = TypeVar("Answer")


class Inline:
    """One worker in this process; see `readbench.runs.executors.base.Executor`."""

    def __init__(self, config: WorkerConfig, observe: Observer, ranks: Ranks = ALONE) -> None:
        self._config = config
        self._observe = observe
        self._ranks = ranks
        self._worker: Worker | None = None
        self._stopped = False

    def measure_fingerprints(self) -> "Future[list[dict[str, Any]]]":
        """Measures at once."""
        return self._done(lambda: [self._called("measure_fingerprint")])

    def measure_teacher(self) -> "Future[dict[str, Any]]":
        """Measures at once."""
        return self._done(lambda: self._called("measure_teacher"))

    def measure_start(self) -> "Future[dict[str, Any]]":
        """Measures at once."""
        return self._done(lambda: self._called("measure_start"))

    def identify(self) -> "Future[list[float]]":
        """Reads the card at once."""
        return self._done(lambda: self._called("identify"))

    def run(self, spec: TrialSpec, briefing: Briefing) -> "Future[bool]":
        """Runs at once; does not run after a failure."""
        return self._done(lambda: not self._stopped and self._called("run", spec, briefing))

    def wait(self, futures: "Collection[Future[Any]]") -> None:
        """All have ended; raises the error of the first that failed."""
        for future in futures:
            future.result()

    def finish_interval(self) -> None:
        """Starts no more trials; nothing is running."""
        self._stopped = True

    def kill(self) -> None:
        """Starts no more trials; nothing is running."""
        self._stopped = True

    def _called(self, name: str, *arguments: Any) -> Any:
        """Calls the worker."""
        from readbench.runs.executors.worker import Worker

        if self._worker is None:
            self._worker = Worker(self._config, ranks=self._ranks)
        watched = (self._observe, lambda: self._stopped) if name == "run" else ()
        return getattr(self._worker, name)(*arguments, *watched)

    def _done(self, work: Callable[[], Answer]) -> "Future[Answer]":
        future: Future[Answer] = Future()
        try:
            future.set_result(work())
        except Exception as error:
            self._stopped = True
            future.set_exception(error)
        return future


@contextmanager
def open_inline(config: WorkerConfig, num_workers: int, observe: Observer) -> Iterator[Inline]:  # noqa: ARG001 - there is one
    """Opens one worker, made when first needed."""
    yield Inline(config, observe)
