"""What the grid asks of whatever runs its trials, and what a worker must know of its run."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.trials.events import Event
from readbench.trials.spec import TrialSpec

Observer = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a worker must know of its run: what all trials share."""

    run_dir: Path
    device: str  # as the user gave it
    shared: TrialSpec  # any trial's: its allocator and seed are not looked at
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)  # its concurrency is this worker's part


class Executor(Protocol):
    """Where the models are measured and the trials run: see `readbench.runs.executors.worker.Worker` for what each call does.

    What the workers tell reaches the observer that the executor was made with, in the caller's thread.
    """

    def measure_fingerprint(self) -> "Future[dict[str, Any]]":
        """What the bits of a result depend on besides the trial's spec."""

    def measure_teacher(self) -> "Future[dict[str, Any]]":
        """The teacher on the probes and the samples."""

    def measure_start(self) -> "Future[dict[str, Any]]":
        """The untrained student on the test set and the samples."""

    def run(self, spec: TrialSpec, teacher_profile: list[float] | None) -> "Future[bool]":
        """A trial; False where it was asked to stop before its end."""

    def wait(self, futures: "Collection[Future[Any]]") -> None:
        """Until all have ended; raises what the first that failed raised."""

    def finish_interval(self) -> None:
        """Lets every running trial commit its interval, and starts no other; what takes too long is given up."""

    def kill(self) -> None:
        """Ends the work at once: what was not committed is lost, what was is on disk."""
