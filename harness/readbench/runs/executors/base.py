"""What a worker must know of its run."""

from dataclasses import dataclass, field
from pathlib import Path

from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.trials.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a worker process must know of its run: what all trials share."""

    run_dir: Path
    device: str  # as the user gave it
    shared: TrialSpec  # any trial's: its allocator and seed are not looked at
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)  # its concurrency is this worker's part
