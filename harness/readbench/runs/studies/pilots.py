"""Pilots: short trainings of the untrained student on random sparse mixes, made once before the trials that need them.

Each is a trial with the allocator `sparse-mix`, recorded and resumed like one, in the run directory's folder ``pilots``. What they
found goes into ``pilots.json`` and, since it depends on content alone, into the user's cache folder: another run with the same suite,
student, teacher and training, on a machine that computes the same bits, reads it there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from readbench.base import machine
from readbench.base.errors import ConfigError, ReadbenchError
from readbench.base.files import make_folder, read_json, sealed, unsealed, write_json
from readbench.base.hashing import json_hash
from readbench.base.plugins import registry
from readbench.runs.config import RunConfig
from readbench.runs.executors.base import Executor
from readbench.trials.briefing import pilot_document, pilot_of
from readbench.trials.record.run_files import PILOT_FOLDER, PILOTS, read_part, write_part
from readbench.trials.record.trial_file import TrialRecord, read_trial
from readbench.trials.spec import PilotConfig, TrialSpec

ALLOCATOR = "sparse-mix"
HORIZON = 6  # a pilot is trained as the first sixth of a trial: at nearly the full learning rate, with the first prompts
FIRST_SEED = 1_000_000  # far from the trials' seeds: a pilot and a trial share no prompt stream


def wanted(config: RunConfig) -> bool:
    """Whether the run needs pilots."""
    return config.requirement == "pilots" or any(registry().get("allocator", name).pilots for name in config.allocators)


def specs_of(shared: TrialSpec, pilots: PilotConfig) -> tuple[TrialSpec, ...]:
    """The pilots of a run, one of whose trials is `shared`."""
    pilot = replace(
        shared,
        allocator=ALLOCATOR,
        params={},
        budget_tokens=pilots.tokens,
        num_intervals=1,
        num_probes=pilots.num_probes,
        dev_every=1,
        requirement="card",
        pilots=None,
    )
    return tuple(replace(pilot, seed=FIRST_SEED * (1 + pilots.draw) + n) for n in range(pilots.num))


@dataclass(frozen=True, kw_only=True)
class PilotStudy:
    """The pilots of one run."""

    run_dir: Path
    run: Mapping[str, Any]
    specs: tuple[TrialSpec, ...]
    fingerprint: Mapping[str, Any]  # of the machine
    warn: Callable[[str], None]

    def done(self) -> dict[str, Any] | None:
        """What the pilots found, if it is in the run directory or in the cache: {"pilots": [...], "tokens": {kind: tokens}}."""
        part = read_part(self.run_dir, PILOTS, self.run)
        if part is not None:
            return part
        found = self._cached()
        return None if found is None else self._keep(found)

    def make(self, executor: Executor) -> dict[str, Any]:
        """Runs the pilots that are not done; ConfigError if one fails."""
        records = probed(executor, self.run_dir, self.specs, horizon=HORIZON)
        found = {"pilots": [pilot_document(pilot_of(record)) for record in records], "tokens": _tokens(records)}
        self._cache(found)
        return self._keep(found)

    def _keep(self, found: Mapping[str, Any]) -> dict[str, Any]:
        write_part(self.run_dir, PILOTS, self.run, found)
        part = read_part(self.run_dir, PILOTS, self.run)
        assert part is not None  # noqa: S101 - just written
        return part

    def _file(self) -> Path:
        """Where the cache has them: the name is the hash of everything that they depend on."""
        bits = {key: self.fingerprint.get(key) for key in machine.DETERMINES}
        provenance = {key: self.run["provenance"].get(key) for key in ("data", "code")}
        name = json_hash([[spec.id for spec in self.specs], provenance, bits])
        return cache_folder() / "pilots" / f"{name}.json"

    def _cached(self) -> dict[str, Any] | None:
        try:
            file = self._file()
            if not file.is_file():
                return None
            document = read_json(file)
            return unsealed(document if isinstance(document, dict) else {}, file)
        except (ReadbenchError, OSError, RuntimeError) as error:  # RuntimeError: the user has no home
            self.warn(f"the cached pilots cannot be read, so they are made again: {error}")
            return None

    def _cache(self, found: Mapping[str, Any]) -> None:
        try:
            file = self._file()
            make_folder(file.parent)
            write_json(file, sealed(found))
        except (ReadbenchError, OSError, RuntimeError) as error:  # RuntimeError: the user has no home
            self.warn(f"the pilots are not kept for other runs: {error}")


def probed(executor: Executor, run_dir: Path, specs: Sequence[TrialSpec], *, horizon: int) -> list[TrialRecord]:
    """The records of trainings whose students are only probed; runs those that are not done. ConfigError if one fails."""
    executor.wait([executor.probe(spec, horizon) for spec in specs])
    records = [read_trial(run_dir / PILOT_FOLDER / spec.id) for spec in specs]
    for number, record in enumerate(records):
        if record.status != "complete":
            raise ConfigError(f"pilot {number} failed: {record.failure}", hint="mend it, then repeat the command: the others are kept")
    return records


def cache_folder() -> Path:
    """The user's cache folder for readbench: below XDG_CACHE_HOME, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "readbench"


def work_folder(run_hash: str, provenance: Mapping[str, str]) -> Path:
    """Where a command that only asks for the pilots of a config makes them: the same folder each time, so it goes on where it was."""
    return cache_folder() / "work" / json_hash([run_hash, dict(provenance)])


def _tokens(records: list[TrialRecord]) -> dict[str, int]:
    """The tokens of all pilots, by kind."""
    kinds = ("generated", "trained", "probe", "dev")
    totals = {kind: sum(interval["tokens"][kind] for record in records for interval in record.intervals) for kind in kinds}
    for kind in ("probe", "dev"):
        totals[kind] += sum(record.start["tokens"][kind] for record in records if record.start is not None)
    return totals
