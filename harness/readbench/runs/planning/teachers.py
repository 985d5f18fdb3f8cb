"""The run's teachers, looked at before the first trial: where they are, what they are, what asking them costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from readbench.api import Teacher, Value
from readbench.base.errors import ConfigError
from readbench.base.hashing import json_hash
from readbench.base.plugins import foreign, make, registry, resolve_parameters
from readbench.models.folder import check_model, fingerprint, resolve_model
from readbench.runs.config import RunConfig
from readbench.runs.planning.checks import params_of
from readbench.runs.planning.estimate import check_room
from readbench.runs.references import only_remote, teacher_reference
from readbench.suites.suite import Suite
from readbench.teachers.chat import set_chat
from readbench.teachers.naming import serving
from readbench.teachers.spend.account import PaidTeacher, is_paid

# Parameters added after the first trials: while they are empty, those trials keep their ids.
_YOUNGER = frozenset({("openai", "omit"), ("openai", "fields"), ("openai", "scores")})


@dataclass(frozen=True, kw_only=True)
class Teachers:
    """What a plan must know of them."""

    fingerprint: str  # of the one, or of all by capability
    params: dict[str, Value]  # of the one that is not local
    given: tuple[Path | Teacher, ...]  # a local model's folder, or a teacher of another kind
    paid: PaidTeacher | None


def check_teachers(config: RunConfig, suite: Suite) -> Teachers:
    """ConfigError if a teacher is not there, or the run could not hold them together."""
    references, serves = serving(config.teacher, suite.capabilities)
    remote = [reference for reference in references if teacher_reference(reference)[0] != "hf"]
    if len(remote) > 1:
        raise ConfigError(
            f"teachers {' and '.join(sorted(remote))} are not local", hint="one of a run may be: settings and spending are of one"
        )
    if len(references) > 1 and any(teacher_reference(reference)[0] == "recorded" for reference in remote):
        raise ConfigError("a recorded teacher repeats a whole run", hint="name it alone")
    params = _params(only_remote(config.teacher), params_of(config, "teacher", only_remote(config.teacher)))
    given: list[Path | Teacher] = []
    fingerprints = []
    for reference in references:
        plugin, model = teacher_reference(reference)
        if plugin == "hf":
            path = checked_model(model)
            check_room(suite, path, "teacher", max_new_tokens=config.max_new_tokens)
            given.append(path)
            fingerprints.append(fingerprint(path))
            continue
        with foreign("teacher", plugin, ConfigError):  # a local model is not made here: that would import torch
            made: Teacher = make("teacher", plugin, model, "cpu", **params)
            set_chat(made, plugin, config.teacher_chat)
            given.append(made)
            fingerprints.append(made.fingerprint())
    by_capability = [fingerprints[number] for number in serves]
    paid = [teacher for teacher in given if is_paid(teacher)]
    return Teachers(
        fingerprint=fingerprints[0] if len(references) == 1 else json_hash(by_capability),
        params=params,
        given=tuple(given),
        paid=paid[0] if paid else None,
    )


def checked_model(reference: str) -> Path:
    """The folder of a model that is there and can be read."""
    path = resolve_model(reference)
    check_model(path)
    return path


def _params(plugin: str, given: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters in a trial's identity: the younger ones only if they are set."""
    params = resolve_parameters(registry().get("teacher", plugin), given)
    return {name: value for name, value in params.items() if value or (plugin, name) not in _YOUNGER}
