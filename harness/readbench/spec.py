"""What identifies a trial, and what it tells while it runs: plain values that cross process borders."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from readbench.remote.settings import EndpointConfig
from readbench.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """All that a trial's result depends on."""

    suite: str
    suite_content: str  # hash of the suite's files
    allocator: str
    params: Mapping[str, bool | int | float | str]
    objective: str
    objective_params: Mapping[str, bool | int | float | str]
    seed: int
    budget_tokens: int
    num_intervals: int
    teacher: str
    teacher_params: Mapping[str, bool | int | float | str]
    teacher_fingerprint: str
    student: str
    student_fingerprint: str
    max_new_tokens: int
    num_probes: int
    num_dev: int
    training: TrainingConfig

    def document(self) -> dict[str, Any]:
        """The spec as JSON values."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @property
    def id(self) -> str:
        """16 hex digits of the spec's hash: two trials of one id are the same trial."""
        return trial_id(self.document())


def trial_id(document: Mapping[str, Any]) -> str:
    """The id of the trial whose spec that is."""
    text = json.dumps(document, sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run; what does not apply keeps its default."""

    kind: Literal["plan", "measured", "started", "interval", "evaluating", "finished", "failed", "complete", "warning"]
    trial: str = ""
    allocator: str = ""
    seed: int = -1
    interval: int = 0  # intervals done
    num_intervals: int = 0
    charged_tokens: int = 0
    budget_tokens: int = 0
    utility_estimate: float | None = None  # r·s on the dev questions
    record: Mapping[str, Any] | None = None  # of a committed interval, as in results.json
    message: str = ""
    num_trials: int = 0
    done_trials: int = 0


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What a worker process must know of its run: what all trials share."""

    run_dir: Path
    device: str  # as the user gave it
    shared: TrialSpec  # any trial's: its allocator and seed are not looked at
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)  # its concurrency is this worker's part
