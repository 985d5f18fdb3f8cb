"""A teacher that repeats another run's answers: offline, and bit for bit the same trials.

It answers from the run's ``responses.sqlite``, adds nothing to it, and passes as the recorded teacher: it has the fingerprint
in that run's provenance, and the measurements made before that run's trials (allocators see the teacher's profile).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from readbench.api import Response, Scored, Teacher, Vector, teacher
from readbench.base import machine
from readbench.base.documents import typed
from readbench.base.errors import ConfigError, DamagedError, ReadbenchError
from readbench.models.text import ChatConfig, answers_of
from readbench.runs.references import teacher_reference
from readbench.teachers.naming import parts_of
from readbench.teachers.responses import ResponseCache
from readbench.trials.record.run_files import FINGERPRINT, START, read_part, read_run


class RecordingError(ReadbenchError):
    """The recorded run lacks an answer. Not a ConfigError: inside a trial that would fail this trial, and all others alike."""


def _chat_of(config: Mapping[str, Any]) -> ChatConfig:
    return typed(ChatConfig, config.get("teacher_chat", {}), "run.json")


class RecordedTeacher:
    """The responses of a run directory; ConfigError if it is not one, or has recorded no teacher yet."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        run = read_run(run_dir)
        start = read_part(run_dir, START, run)
        if start is None or not (run_dir / "responses.sqlite").is_file():
            raise ConfigError(f"{run_dir} has recorded no teacher yet", hint=f"readbench resume {run_dir}")
        self._fingerprint: str = run["provenance"]["teacher"]
        if len(parts_of(run["config"]["teacher"])) > 1:
            raise ConfigError(f"{run_dir} had several teachers, and cannot be repeated from its record", hint="name its teachers again")
        plugin, _ = teacher_reference(run["config"]["teacher"])
        self._stored_as = answers_of(self._fingerprint, _chat_of(run["config"])) if plugin == "hf" else self._fingerprint
        self._measured: dict[str, Any] = start["teacher"]
        self._responses = ResponseCache(run_dir / "responses.sqlite")
        params = run["config"].get("params", {}).get("teacher", {}).get(plugin, {})
        self._tokenizer: str = params.get("tokenizer", "") if params.get("scores") else ""

    def check_bits(self, now: Mapping[str, Any], warn: Callable[[str], None]) -> None:
        """Warns if this machine computes other bits than the recorded run's: the answers are the same, the trials are not."""
        then = read_part(self._run_dir, FINGERPRINT, read_run(self._run_dir))
        if then is not None and not machine.same_bits(then["fingerprint"], now):
            warn(f"{self._run_dir} was recorded on a machine that computes other bits: the answers are repeated, the trials differ")

    def fingerprint(self) -> str:
        """The recorded teacher's fingerprint, from the run's provenance."""
        return self._fingerprint

    def measured(self) -> dict[str, Any]:
        """What `readbench.runs.executors.worker.Worker.measure_teacher` found then."""
        return self._measured

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """One response a prompt, in order; RecordingError if the run did not ask one with that limit."""
        try:
            known = self._responses.get(self._stored_as, prompts, max_new_tokens=max_new_tokens)
        except DamagedError as error:
            raise DamagedError(error.message, hint="restore it, or record the run again") from error
        if any(prompt not in known for prompt in prompts):
            raise RecordingError(
                f"{self._run_dir} holds no answer to a prompt of this run",
                hint="repeat it with that run's suite, seeds, allocators, budget and max_new_tokens: others ask other prompts",
            )
        return [known[prompt] for prompt in prompts]

    def scoring_tokenizer(self) -> str:
        """The recorded endpoint's; a local teacher's log-probabilities were not recorded."""
        return self._tokenizer

    def score(self, sequences: Sequence[Scored]) -> list[Vector]:
        """See `readbench.api.ScoringTeacher`; RecordingError if the run did not ask it."""
        return self._read(sequences, 0)

    def top(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        """See `readbench.api.ScoringTeacher`; RecordingError if the run did not ask it."""
        return self._read(sequences, k)

    def _read(self, sequences: Sequence[Scored], k: int) -> list[Vector]:
        known = self._responses.get_scores(self._stored_as, sequences, k)
        if any(sequence not in known for sequence in sequences):
            raise RecordingError(
                f"{self._run_dir} holds no log-probabilities of an answer of this run",
                hint="repeat it with that run's suite, seeds, allocators, objective and budget: others write other answers",
            )
        return [known[sequence] for sequence in sequences]


@teacher("recorded")
def recorded(model: str, device: str) -> Teacher:  # noqa: ARG001 - every teacher takes it; this one computes nothing
    """What the teacher of another run said (recorded:RUN), without asking it again."""
    return RecordedTeacher(Path(model))
