"""What the grid needs from an executor, and what a worker must know about its run."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from readbench.runs.executors.cluster.settings import ClusterConfig
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.trials.briefing import Briefing
from readbench.trials.environments.rollouts.settings import NO_SAMPLER, SamplerConfig
from readbench.trials.events import Event
from readbench.trials.record.run_files import PILOT_FOLDER
from readbench.trials.spec import TrialSpec

Observer = Callable[[Event], None]
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a worker must know about its run: all that the trials share."""

    run_dir: Path
    device: str  # as the user gave it
    shared: TrialSpec  # any trial's: its allocator and seed are ignored
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    sampler: SamplerConfig = NO_SAMPLER
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def shared_by(self, workers: int) -> "WorkerConfig":
        """For one of so many: each has its part of the endpoint's concurrency."""
        return replace(self, endpoint=replace(self.endpoint, concurrency=max(1, self.endpoint.concurrency // workers)))


def trial_name(spec: TrialSpec) -> str:
    """The folder of a trial's record, in a run directory."""
    return f"{'trials' if spec.tested else PILOT_FOLDER}/{spec.id}"


def as_they_end(futures: "Collection[Future[Any]]", pass_on: Callable[[], None]) -> "Iterator[Future[Any]]":
    """Each future once it has ended; meanwhile, and before the first, calls `pass_on` again and again."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        pass_on()
        yield from done


class Executor(Protocol):
    """Measures the models and runs the trials: see `readbench.runs.executors.worker.Worker` for what each call does.

    The workers' events reach the executor's observer in the caller's thread.
    """

    def measure_fingerprints(self) -> "Future[list[dict[str, Any]]]":
        """What the bits of a result depend on besides the trial's spec, wherever trials may run."""

    def measure_teacher(self) -> "Future[dict[str, Any]]":
        """The teacher on the probes and the samples."""

    def measure_start(self) -> "Future[dict[str, Any]]":
        """The untrained student on the test set and the samples."""

    def identify(self) -> "Future[list[float]]":
        """The requirement by the run's identifier."""

    def run(self, spec: TrialSpec, briefing: Briefing) -> "Future[bool]":
        """A trial; False if it was asked to stop before its end."""

    def wait(self, futures: "Collection[Future[Any]]") -> None:
        """Waits until all have ended; raises the error of the first that failed."""

    def finish_interval(self) -> None:
        """Lets every running trial commit its interval, and starts no other; gives up an interval that takes too long."""

    def kill(self) -> None:
        """Ends the work at once: uncommitted work is lost, committed work is on disk."""
