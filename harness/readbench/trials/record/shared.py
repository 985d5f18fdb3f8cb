"""A trial's record where several ranks run the trial: rank 0 has it, and tells the others what it says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from readbench.models.ranks import Ranks
from readbench.trials.environments.base import ExampleRow
from readbench.trials.record.store import TrialState, TrialStore


class SharedStore:
    """See `readbench.trials.record.store.TrialStore`; every rank makes the same calls in the same order."""

    def __init__(self, store: TrialStore | None, ranks: Ranks) -> None:
        self._store = store
        self._ranks = ranks

    @classmethod
    @contextmanager
    def open(cls, ranks: Ranks, folder: Path, trial_id: str, spec: Mapping[str, Any]) -> "Iterator[SharedStore]":
        """Rank 0 opens the record; its error is all ranks'."""
        with ExitStack() as stack:
            held: list[TrialStore] = []

            def hold() -> None:
                held.append(stack.enter_context(TrialStore.open(folder, trial_id, spec)))

            ranks.told(hold)
            yield cls(held[0] if held else None, ranks)

    def _read(self, call: Callable[[TrialStore], Any]) -> Any:
        store = self._store
        return self._ranks.told(lambda: None if store is None else call(store))

    def status(self) -> str:
        """Rank 0's."""
        found: str = self._read(TrialStore.status)
        return found

    def start(self) -> dict[str, Any] | None:
        """Rank 0's."""
        found: dict[str, Any] | None = self._read(TrialStore.start)
        return found

    def intervals(self) -> list[dict[str, Any]]:
        """Rank 0's."""
        found: list[dict[str, Any]] = self._read(TrialStore.intervals)
        return found

    def state(self) -> TrialState | None:
        """Rank 0's; the others get no checkpoint: each takes its share from rank 0's, see `readbench.models.sharded.fill`."""
        own: list[TrialState | None] = []

        def read(store: TrialStore) -> TrialState | None:
            own.append(store.state())
            return None if own[0] is None else replace(own[0], checkpoint=b"")

        told: TrialState | None = self._read(read)
        return own[0] if own else told

    def retry(self) -> None:
        """By rank 0."""
        if self._store is not None:
            self._store.retry()

    def begin(self, start: Mapping[str, Any]) -> None:
        """By rank 0."""
        if self._store is not None:
            self._store.begin(start)

    def commit_interval(
        self, record: Mapping[str, Any], seconds: Mapping[str, float], examples: Sequence[ExampleRow], state: TrialState
    ) -> None:
        """By rank 0."""
        if self._store is not None:
            self._store.commit_interval(record, seconds, examples, state)

    def finish(self, final: Mapping[str, Any], save_student: Callable[[Path], None]) -> None:
        """By rank 0."""
        if self._store is not None:
            self._store.finish(final, save_student)

    def fail(self, reason: str) -> None:
        """By rank 0."""
        if self._store is not None:
            self._store.fail(reason)
