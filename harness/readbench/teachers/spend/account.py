"""What a run gives to a teacher that costs money, and how it knows one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

from readbench.api import Response, Scored, Vector
from readbench.teachers.endpoint.settings import EndpointConfig
from readbench.teachers.spend.ledger import SpendLedger

Keep = Callable[[Mapping[str, Response], int], None]
KeepScores = Callable[[Mapping[Scored, Vector], int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One worker's part of a run, as a paid teacher sees it."""

    run_dir: Path  # for messages
    settings: EndpointConfig
    ledger: SpendLedger
    student_path: Path  # whose tokenizer counts where the teacher's is not known
    keep: Keep  # (responses by prompt, limit) are on disk when it returns: what was paid for is never asked for again
    keep_scores: KeepScores  # likewise log-probabilities by sequence, and how many of the most probable tokens (0: of the sequence's own)


class PaidTeacher(Protocol):
    """A teacher that books every request before it leaves."""

    @property
    def model(self) -> str:
        """As the price file names it."""

    @property
    def system(self) -> str:
        """The system prompt that goes with every prompt; empty: none."""

    @property
    def added_bytes(self) -> int:
        """Bytes of a request that may become prompt tokens, besides the prompt's own."""

    def fingerprint(self) -> str:
        """See `readbench.api.Teacher`."""

    def open_account(self, account: Account) -> None:
        """Called once, in the process that is going to ask."""

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """See `readbench.api.Teacher`."""


def is_paid(teacher: object) -> TypeGuard[PaidTeacher]:
    """Whether a teacher wants an account. Its class is asked: to look for a local teacher's `model` is to load it."""
    return hasattr(type(teacher), "open_account")
