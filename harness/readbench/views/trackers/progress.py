"""How far a sink has got, in ``RUN/trackers/<sink>.json``: what lets a resumed run continue instead of starting over.

Written after the sink has taken an interval. A process that is killed between the two repeats that one interval when it resumes.
"""

import secrets
from pathlib import Path
from typing import Any

from readbench.base.files import make_folder, read_json, write_json


class Progress:
    """The sink's key, and what it has of each trial."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known: dict[str, Any] = read_json(path) if path.is_file() else {"key": secrets.token_hex(8), "intervals": {}, "ended": []}
        self.key: str = known["key"]  # random: a run directory's name and a trial's id may occur twice in one tracker
        self._intervals: dict[str, int] = known["intervals"]
        self._ended = set(known["ended"])
        make_folder(path.parent)
        self._save()

    def intervals(self, trial: str) -> int:
        """Intervals of the trial that the sink has."""
        return self._intervals.get(trial, 0)

    def ended(self, trial: str) -> bool:
        """Whether the sink has the trial's end."""
        return trial in self._ended

    def add_interval(self, trial: str) -> None:
        """One more."""
        self._intervals[trial] = self.intervals(trial) + 1
        self._save()

    def add_end(self, trial: str) -> None:
        """The trial's end, its last figures."""
        self._ended.add(trial)
        self._save()

    def _save(self) -> None:
        write_json(self._path, {"key": self.key, "intervals": self._intervals, "ended": sorted(self._ended)})
