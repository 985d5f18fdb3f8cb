"""What is made once before the trials that need it, with the allocator `sparse-mix`: pilots and pilot trials.

*Pilots* are short trainings of the untrained student on one random sparse mix each. *Pilot trials* are whole trials, with a new random
mix in each interval: the transitions with which ReAD's bandit starts.

Each is recorded and resumed like a trial, in the run directory's folder ``pilots``. What they found goes into ``pilots.json`` and
``profiling.json`` and, since it depends on content alone, into the user's cache folder: another run with the same suite, student, teacher
and training, on a machine that computes the same bits, reads it there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from readbench.base import machine
from readbench.base.errors import ConfigError, ReadbenchError, SurroundingError
from readbench.base.files import make_folder, read_json, sealed, unsealed, write_json
from readbench.base.hashing import json_hash
from readbench.base.plugins import registry
from readbench.runs.config import RunConfig
from readbench.runs.executors.base import Executor
from readbench.trials.briefing import Briefing, pilot_document, pilot_of
from readbench.trials.record.run_files import PILOT_FOLDER, PILOTS, PROFILING, group_of, groups, read_part, write_part
from readbench.trials.record.trial_file import TrialRecord, read_trial
from readbench.trials.spec import PilotConfig, TrialSpec

ALLOCATOR = "sparse-mix"
HORIZON = 6  # a pilot is trained as the first sixth of a trial: at nearly the full learning rate, with the first prompts
FIRST_SEED = 1_000_000  # far from the trials' seeds: a pilot and a trial share no prompt stream
FIRST_TRIAL_SEED = 500_000  # of pilot trials, after those of the pilots


def uses_pilots(config: RunConfig, allocator: str) -> bool:
    """Whether the allocator's trials depend on pilots: through the requirement, or because it asks for them."""
    return config.requirement == "pilots" or registry().get("allocator", allocator).pilots


def pilot_specs(shared: TrialSpec, pilots: PilotConfig) -> tuple[TrialSpec, ...]:
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
        profiling=None,
        horizon=HORIZON,
        tested=False,
    )
    return tuple(replace(pilot, seed=FIRST_SEED * (1 + pilots.draw) + n) for n in range(pilots.num))


def profiled(allocator: str) -> bool:
    """Whether the allocator asks for pilot trials."""
    return registry().get("allocator", allocator).profiled


def profiling_specs(shared: TrialSpec, pilots: PilotConfig) -> tuple[TrialSpec, ...]:
    """The pilot trials of a run, one of whose trials is `shared`."""
    first = FIRST_SEED * (1 + pilots.draw) + FIRST_TRIAL_SEED
    trial = replace(shared, allocator=ALLOCATOR, params={"fresh": True}, requirement="card", pilots=None, profiling=None, tested=False)
    return tuple(replace(trial, seed=first + n) for n in range(pilots.trials))


def _pilots(records: Sequence[TrialRecord]) -> dict[str, Any]:
    return {"pilots": [pilot_document(pilot_of(record)) for record in records]}


def _trials(records: Sequence[TrialRecord]) -> dict[str, Any]:
    return {"trials": [list(record.intervals) for record in records]}


_FOUND: Mapping[str, Callable[[Sequence[TrialRecord]], dict[str, Any]]] = {PILOTS: _pilots, PROFILING: _trials}


@dataclass(frozen=True, kw_only=True)
class PilotStudy:
    """The pilots of one run, or its pilot trials, for one objective and budget."""

    part: str  # PILOTS or PROFILING, the file of what they found
    run_dir: Path
    run: Mapping[str, Any]
    specs: tuple[TrialSpec, ...]
    fingerprint: Mapping[str, Any]  # of the machine
    warn: Callable[[str], None]

    def done(self) -> Mapping[str, Any] | None:
        """What they found, if it is in the run directory or in the cache.

        {"pilots": [...]} of pilots or {"trials": [[interval, ...], ...]} of pilot trials, and their "tokens": {kind: tokens}.
        """
        if found := self._noted():
            return found
        cached = self._cached()
        return None if cached is None else self._write(cached)

    def begin(self, executor: Executor) -> "list[Future[bool]]":
        """Starts those that are not done; of none, where it is known what they found."""
        return [] if self.done() else begun(executor, self.run, self.specs)

    def end(self) -> Mapping[str, Any]:
        """What they found, once they have ended; ConfigError if one failed."""
        if noted := self._noted():
            return noted
        records = records_of(self.run_dir, self.specs)
        found = _FOUND[self.part](records) | {"tokens": _tokens(records)}
        self._cache(found)
        return self._write(found)

    def _noted(self) -> Mapping[str, Any]:
        """What the run directory says that they found; nothing, if it does not."""
        return group_of(read_part(self.run_dir, self.part, self.run), **self._key())

    def _key(self) -> dict[str, str | int]:
        return {"objective": self.specs[0].objective, "budget_tokens": self.specs[0].budget_tokens}

    def _write(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """Adds what was found to the run's; returns it."""
        group = {**found, **self._key()}
        write_part(self.run_dir, self.part, self.run, {"groups": [*groups(read_part(self.run_dir, self.part, self.run)), group]})
        return group

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
        except (ReadbenchError, OSError) as error:
            self.warn(f"the cached pilots cannot be read, so they are made again: {error}")
            return None

    def _cache(self, found: Mapping[str, Any]) -> None:
        try:
            file = self._file()
            make_folder(file.parent)
            write_json(file, sealed(found))
        except (ReadbenchError, OSError) as error:
            self.warn(f"the pilots are not kept for other runs: {error}")


def begun(executor: Executor, run: Mapping[str, Any], specs: Sequence[TrialSpec]) -> "list[Future[bool]]":
    """Starts untested trials that are not done."""
    briefing = Briefing(requirement=np.array(run["suite"]["requirement"]))
    return [executor.run(spec, briefing) for spec in specs]


def records_of(run_dir: Path, specs: Sequence[TrialSpec]) -> list[TrialRecord]:
    """The records of untested trials that have ended; ConfigError if one failed."""
    records = [read_trial(run_dir / PILOT_FOLDER / spec.id) for spec in specs]
    for number, record in enumerate(records):
        if record.status != "complete":
            raise ConfigError(f"training {number} failed: {record.failure}", hint="mend it, then repeat the command: the others are kept")
    return records


def cache_folder() -> Path:
    """The user's cache folder for readbench: below XDG_CACHE_HOME, or below ~/.cache; SurroundingError if the user has no home."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (base if base.is_absolute() else Path.home() / ".cache") / "readbench"
    except RuntimeError as error:
        raise SurroundingError("there is no home folder to keep a cache in", hint="set XDG_CACHE_HOME to a folder") from error


def work_folder(run_hash: str, provenance: Mapping[str, str]) -> Path:
    """Where a command makes the trainings that it only asks about: the same folder each time, so it goes on where it was.

    SurroundingError if the cache folder cannot be written.
    """
    folder = cache_folder() / "work"
    try:
        make_folder(folder)
    except (ReadbenchError, OSError) as error:
        raise SurroundingError(f"cannot make {folder}", hint="set XDG_CACHE_HOME to a folder that can be written") from error
    return folder / json_hash([run_hash, dict(provenance)])


def _tokens(records: list[TrialRecord]) -> dict[str, int]:
    """The tokens of all pilots, by kind."""
    kinds = ("generated", "trained", "scored", "rollout", "probe", "dev")
    totals = {kind: sum(interval["tokens"].get(kind, 0) for record in records for interval in record.intervals) for kind in kinds}
    for kind in ("probe", "dev"):
        totals[kind] += sum(record.start["tokens"][kind] for record in records if record.start is not None)
    return totals
