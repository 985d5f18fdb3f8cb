"""What identifies a trial: plain values that cross process borders."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from readbench.base.hashing import content_hash
from readbench.models.text import ChatConfig
from readbench.students.schedule import TrainingConfig


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
    teacher_chat: ChatConfig = field(default_factory=ChatConfig)
    student_chat: ChatConfig = field(default_factory=ChatConfig)

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
    return content_hash(text.encode(), size=8)
