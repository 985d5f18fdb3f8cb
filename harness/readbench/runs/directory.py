"""The run directory: made for one config, held by one process, and closed to any config or machine that would change its numbers.

The same config on the same directory resumes the run; with more seeds, allocators, objectives or budgets the run grows and keeps finished
trials.

``run.json`` is written first, and again only when the run grows; ``fingerprint.json`` before the first trial, and again only
if the user lets the run resume on a machine that computes other bits.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from readbench.base import files, machine
from readbench.base.errors import ConfigError, ReadbenchError
from readbench.base.nested import flatten
from readbench.runs.config import Resolved, config_document, restored
from readbench.runs.references import PLACES, moved
from readbench.suites.suite import load_suite
from readbench.teachers.naming import renamed
from readbench.trials.record.run_files import FINGERPRINT, PILOT_FOLDER, RUN_SCHEMA, read_part, read_run, write_part
from readbench.trials.spec import TrialSpec, settled

_LOCK = "lock"
_GRID = ("allocators", "objectives", "budgets", "seeds")  # settings that choose the trials, not what they measure
_LONGEST = 60  # characters shown of a value


@contextmanager
def opened(
    run_dir: Path, resolved: Resolved, *, trials: tuple[TrialSpec, ...], provenance: Mapping[str, str]
) -> "Iterator[dict[str, Any]]":
    """Holds the run directory of this config, new or known; yields its ``run.json``.

    ConfigError if the directory belongs to another config or is no run directory, SurroundingError if another process holds it.
    Removes a new one again if the block ends with a ReadbenchError before any trial has begun.
    """
    existed = run_dir.is_dir()
    if not (run_dir / "run.json").is_file():
        _check_blank(run_dir)
        try:
            files.make_folder(run_dir)
        except ReadbenchError as error:
            raise ConfigError(f"cannot make {run_dir}", hint="choose another --out") from error
    else:
        _check_same(run_dir, resolved, provenance)
    with files.locked(run_dir / _LOCK, f"the run in {run_dir}"):
        files.remove_staging(run_dir)
        fresh = not (run_dir / "run.json").is_file()
        if fresh:
            files.write_json(run_dir / "run.json", files.sealed(_document(run_dir, resolved, trials, provenance)))
        else:  # read again: another process may have made it
            _grow(run_dir, _check_same(run_dir, resolved, provenance), resolved, trials)
        try:
            yield read_run(run_dir)
        except ReadbenchError:
            begun = any((run_dir / name).exists() for name in ("trials", PILOT_FOLDER))
            if fresh and not begun:  # leave no half-made run directory behind
                files.remove(run_dir)
                if existed:
                    files.make_folder(run_dir)
            raise


def resolved_again(
    run_dir: Path,
    *,
    workers: int | None = None,
    spend_limit: int | str | None = None,
    executor: str | None = None,
    ray_address: str | None = None,
) -> Resolved:
    """The settings in the run's ``run.json``, except those that may change when it is resumed."""
    document = read_run(run_dir)
    _check_code(run_dir, document, machine.code_hash())
    given = {**document["config"], **places(run_dir, document)}
    if executor is not None:
        given["executor"] = executor
    if ray_address is not None:
        given["cluster"] = {**given.get("cluster", {}), "address": ray_address}
    config = restored(given)
    if workers is not None:
        config = replace(config, workers=workers)
    if spend_limit is not None:
        config = replace(config, endpoint=replace(config.endpoint, spend_limit=spend_limit))
    return Resolved(config=config, origins=document["origins"], suite=load_suite(config.suite))


def places(run_dir: Path, run: Mapping[str, Any]) -> dict[str, str]:
    """Where the run's suite, student and teacher are, even if the run has moved together with them."""
    then = Path(run.get("folder", run_dir.absolute()))
    found = {key: moved(run["config"][key], then, run_dir) for key in PLACES if key != "teacher"}
    return found | {"teacher": renamed(run["config"]["teacher"], lambda each: moved(each, then, run_dir))}


def _check_blank(run_dir: Path) -> None:
    """ConfigError unless the directory is empty, or holds only what a process left that was killed before it wrote ``run.json``."""
    if run_dir.exists() and not run_dir.is_dir():
        raise ConfigError(f"{run_dir} is a file", hint="choose another --out")
    if run_dir.is_dir() and any(path.name != _LOCK and not files.is_staging(path) for path in run_dir.iterdir()):
        raise ConfigError(f"{run_dir} is not empty and no run directory", hint="choose another --out")


def _check_same(run_dir: Path, resolved: Resolved, provenance: Mapping[str, str]) -> dict[str, Any]:
    """The directory's ``run.json``; ConfigError unless the config is the same, or only adds seeds or allocators."""
    known = read_run(run_dir)
    _check_code(run_dir, known, provenance["code"])
    then, now = (config.get("only_trial", "") or "all" for config in (known["config"], config_document(resolved.config)))
    if then != now:
        raise ConfigError(f"{run_dir} holds {then} of a run's trials, and {now} are asked for", hint="choose another --out for each part")
    old, new = settled(known["identity"]), resolved.identity()
    grows = all(set(old.get(key, ())) <= set(new[key]) for key in _GRID)
    then = dict(flatten(_without_grid(old, old) if grows else old))
    now = dict(flatten(_without_grid(new, old) if grows else new))
    then |= {f"{what} content": value for what, value in known["provenance"].items()}
    now |= {f"{what} content": value for what, value in provenance.items()}
    differing = [
        f"{key} was {_shown(then.get(key))}, is now {_shown(now.get(key))}"
        for key in sorted({*then, *now})
        if then.get(key) != now.get(key)
    ]
    if differing:
        only_grid = all(line.partition(" ")[0] in _GRID for line in differing)
        hint = "name the run's own too, to add to them, or choose another --out" if only_grid else "choose another --out"
        raise ConfigError(f"{run_dir} holds a run with another config: {'; '.join(differing)}", hint=hint)
    return known


def _without_grid(identity: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    """What a run measures: all but the grid; of parameters, those of another identity's allocators and objectives, and the rest."""
    params = dict(identity.get("params", {}))
    for kind in ("allocator", "objective"):
        params[kind] = {name: given for name, given in params.get(kind, {}).items() if name in of[f"{kind}s"]}
    return {**{key: value for key, value in identity.items() if key not in _GRID}, "params": params}


def _grow(run_dir: Path, known: Mapping[str, Any], resolved: Resolved, trials: tuple[TrialSpec, ...]) -> None:
    """Adds the config's new trials to the run; keeps its finished trials, removes its results to be rebuilt."""
    if known["identity"] == resolved.identity():
        return
    if resolved.config.only_trial:
        raise ConfigError(f"{run_dir} holds a part of a run, which cannot grow", hint="choose another --out")
    grown = {
        **{key: value for key, value in known.items() if key != "digest"},
        "config": config_document(resolved.config),
        "origins": resolved.origins,
        "identity": resolved.identity(),
        "trials": _entries(trials),
        "earlier": [*known.get("earlier", []), known["digest"]],
    }
    files.remove(run_dir / "results.json")
    files.write_json(run_dir / "run.json", files.sealed(grown))


def _entries(trials: tuple[TrialSpec, ...]) -> list[dict[str, Any]]:
    """The trials in a ``run.json``."""
    return [{"id": spec.id, **{key: getattr(spec, key) for key in ("allocator", "objective", "budget_tokens", "seed")}} for spec in trials]


def _check_code(run_dir: Path, run: Mapping[str, Any], code: str) -> None:
    """ConfigError naming the version that can resume the run, unless it is this one."""
    then, begun = run["provenance"].get("code", code), run["environment"].get("packages", {}).get("readbench")
    if then != code:
        raise ConfigError(
            f"{run_dir} was begun by readbench {begun} (code {then[:8]}), this is {version('readbench')} (code {code[:8]}): "
            "its trials would not be the same",
            hint="resume it with that version, or choose another --out; its results can be read with this one",
        )


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _document(run_dir: Path, resolved: Resolved, trials: tuple[TrialSpec, ...], provenance: Mapping[str, str]) -> dict[str, Any]:
    suite = resolved.suite
    return {
        "schema": RUN_SCHEMA,
        "run": run_dir.name,
        "folder": str(run_dir.absolute()),
        "config": config_document(resolved.config),
        "origins": resolved.origins,
        "identity": resolved.identity(),
        "provenance": provenance,
        "suite": {
            "name": suite.name,
            "version": suite.config.version,
            "capabilities": list(suite.capabilities),
            "requirement": suite.requirement.tolist(),
            "joint": suite.composition is not None,
            "top_k": suite.config.reward.top_k,
            "margins": suite.config.check.margins,
        },
        "trials": _entries(trials),
        "environment": machine.describe(),
    }


def check_fingerprint(
    run_dir: Path, run: Mapping[str, Any], now: Mapping[str, Any], *, allow_drift: bool, warn: Callable[[str], None]
) -> None:
    """Notes what the bits depend on, before the first trial; ConfigError if the run began on a machine that computes other bits.

    With `allow_drift` the run resumes and is marked: ``environment.drift`` in its results lists the fingerprints it resumed with.
    """
    known = read_part(run_dir, FINGERPRINT, run)
    if known is None:
        write_part(run_dir, FINGERPRINT, run, {"fingerprint": now, "drift": []})
        return
    then = known["fingerprint"]
    if any(machine.same_bits(each, now) for each in (then, *known["drift"])):
        return
    message = f"the run was begun where other bits are computed ({_differences(then, now)})"
    if not allow_drift:
        raise ConfigError(message, hint="resume it where it was begun, or mark it with --allow-drift")
    write_part(run_dir, FINGERPRINT, run, {"fingerprint": then, "drift": [*known["drift"], now]})
    warn(f"{message}: its results are marked")


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The labels that differ, or what to check if all agree."""
    labels = [key for key in sorted({*then, *now} - {machine.MEASURED}) if then.get(key) != now.get(key)]
    differing = [f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in labels]
    return "; ".join(differing) or "every label agrees: look for MKL_CBWR and other variables that choose kernels"
