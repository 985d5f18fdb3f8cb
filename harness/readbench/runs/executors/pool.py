"""The worker processes: forked from a server that has imported torch, told to stop through an event.

Torch-free. The functions at the end run in a worker; they import `readbench.runs.executors.worker`, which the fork server has loaded.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event as StopEvent
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from readbench.base import processes
from readbench.base.errors import IncompleteRunError
from readbench.runs.executors.base import POLL_SECONDS, Observer, WorkerConfig, as_they_end
from readbench.trials.briefing import Briefing
from readbench.trials.events import Event
from readbench.trials.spec import TrialSpec

if TYPE_CHECKING:
    from readbench.runs.executors.worker import Worker

_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
Result = TypeVar("Result")
GRACE_SECONDS = 8.0  # to commit an interval after a request to stop; Docker kills after 10, Slurm after 30


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Pool:
    """Workers, their events, and how to stop them; see `readbench.runs.executors.base.Executor`."""

    run_dir: Path
    executor: ProcessPoolExecutor
    events: "SimpleQueue[Event]"
    stop: StopEvent
    observe: Observer

    def measure_fingerprints(self) -> "Future[list[dict[str, Any]]]":
        """Runs in a worker."""
        return self._submit(_measure_fingerprints)

    def measure_teacher(self) -> "Future[dict[str, Any]]":
        """Runs in a worker."""
        return self._submit(_measure_teacher)

    def measure_start(self) -> "Future[dict[str, Any]]":
        """Runs in a worker."""
        return self._submit(_measure_start)

    def identify(self) -> "Future[list[float]]":
        """Runs in a worker."""
        return self._submit(_identify)

    def run(self, spec: TrialSpec, briefing: Briefing) -> "Future[bool]":
        """Runs in a worker."""
        return self._submit(_run, spec, briefing)

    def wait(self, futures: "Collection[Future[Any]]") -> None:
        """Waits until all have ended, passing on the workers' events; raises the error of the first that failed.

        IncompleteRunError if a worker process died.
        """
        for future in as_they_end(futures, self._pass_on):
            try:
                future.result()
            except BrokenProcessPool as error:
                hint = f"if memory was short use fewer --workers; resume with: readbench resume {self.run_dir}"
                raise IncompleteRunError("a worker process died", hint=hint) from error

    def finish_interval(self) -> None:
        """Lets every running trial commit its interval, passing on the workers' events, then ends.

        Gives up an interval that takes longer than GRACE_SECONDS: a resume repeats it.
        """
        self.stop.set()
        deadline = time.monotonic() + GRACE_SECONDS
        ending = threading.Thread(target=self.executor.shutdown, kwargs={"wait": True, "cancel_futures": True}, daemon=True)
        ending.start()
        while ending.is_alive():  # keep reading the events: a worker that finds their pipe full waits forever
            if time.monotonic() > deadline:
                self.kill()
            ending.join(POLL_SECONDS)
            self._pass_on()

    def _submit(self, task: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        with processes.uninterrupted():  # it may start a worker
            return self.executor.submit(task, *arguments)

    def _pass_on(self) -> None:
        while not self.events.empty():
            self.observe(self.events.get())

    def kill(self) -> None:
        """Ends the workers at once: uncommitted work is lost, committed work is on disk."""
        for process in list((self.executor._processes or {}).values()):  # Python has no public way before 3.14
            process.kill()


def prepare() -> ForkServerContext:
    """Starts the fork server, which takes seconds to import what the workers need: the sooner, the sooner they begin."""
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)  # read by torch when the fork server imports it
    context = processes.context("forkserver")
    context.set_forkserver_preload(["readbench.runs.executors.forkserver"])
    with processes.uninterrupted():
        forkserver.ensure_running()
    return context


@contextmanager
def open_pool(config: WorkerConfig, num_workers: int, observe: Observer) -> Iterator[Pool]:
    """Starts workers that live as long as the block."""
    context = prepare()
    events: SimpleQueue[Event] = context.SimpleQueue()
    stop = context.Event()
    executor = ProcessPoolExecutor(
        num_workers, mp_context=context, initializer=_initialise, initargs=(config.shared_by(num_workers), events, stop)
    )
    try:
        yield Pool(config.run_dir, executor, events, stop, observe)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Process:
    """A worker process's globals, set when it starts; its first task makes the worker."""

    config: WorkerConfig
    events: "SimpleQueue[Event]"
    stop: StopEvent
    worker: "Worker | None" = None


def _initialise(config: WorkerConfig, events: "SimpleQueue[Event]", stop: StopEvent) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and sets the event
    signal.signal(signal.SIGTERM, _finish_alone)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Process.config, _Process.events, _Process.stop = config, events, stop


def _finish_alone(*_: object) -> None:
    """SIGTERM reaches the whole group, and the parent then waits for the interval; or only this worker, and nobody waits."""
    _Process.stop.set()
    signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)  # SIGALRM ends the process


def _end_with_parent() -> None:
    """Leaves no orphans: if the parent is killed, a resume repeats uncommitted work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


def _worker() -> "Worker":
    from readbench.runs.executors.worker import Worker

    if _Process.worker is None:
        _Process.worker = Worker(_Process.config)
    return _Process.worker


def _measure_fingerprints() -> list[dict[str, Any]]:
    return [_worker().measure_fingerprint()]


def _measure_teacher() -> dict[str, Any]:
    return _worker().measure_teacher()


def _measure_start() -> dict[str, Any]:
    return _worker().measure_start()


def _identify() -> list[float]:
    return _worker().identify()


def _run(spec: TrialSpec, briefing: Briefing) -> bool:
    return not _Process.stop.is_set() and _worker().run(spec, briefing, _Process.events.put, _Process.stop.is_set)
