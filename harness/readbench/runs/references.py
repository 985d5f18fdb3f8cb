"""The places of a run's suite, models and files: absolute paths, so that a run can be resumed from any folder.

A path does not identify a run (`readbench.trials.spec.placeless`); the content hashes do. So a run directory that moves
together with its inputs is found again by the same way from it.
"""

import os
from collections.abc import Callable
from pathlib import Path

from readbench.base.plugins import registry
from readbench.models.folder import is_embedded
from readbench.teachers.naming import parts_of, renamed


def teacher_reference(reference: str) -> tuple[str, str]:
    """``name:model`` as (teacher plug-in, model); without a registered name before the colon, a local model ("hf")."""
    name, colon, model = reference.partition(":")
    return (name, model) if colon and name in registry().plugins("teacher") else ("hf", reference)


def only_remote(reference: str) -> str:
    """The plug-in of the teacher that is no local model, if a run has one beside its local ones; "hf" if all are local."""
    plugins = (teacher_reference(each)[0] for each in parts_of(reference).values())
    return next((plugin for plugin in plugins if plugin != "hf"), "hf")


def absolute(path: str | Path) -> str:
    """The absolute path; links are not resolved."""
    return os.path.normpath(Path(path).expanduser().absolute())


def suite_place(reference: str) -> str:
    """A registered name unchanged, a path as the absolute path of the suite's folder (of its file, if not named suite.yaml)."""
    if reference in registry().plugins("suite") or not Path(reference).exists():
        return reference
    path = Path(absolute(reference))
    return str(path.parent if path.name == "suite.yaml" else path)


def model_place(reference: str) -> str:
    """A folder as its absolute path; an embedded model or a hub id unchanged."""
    folder = Path(reference).expanduser()
    return absolute(folder) if not is_embedded(reference) and folder.is_dir() else reference


def teacher_place(reference: str) -> str:
    """Likewise for local teachers and a recorded run; references to other plug-ins are theirs, and stay unchanged."""
    return renamed(reference, _one_teacher_place)


def _one_teacher_place(reference: str) -> str:
    plugin, model = teacher_reference(reference)
    if plugin not in ("hf", "recorded"):
        return reference
    place = model_place(model)
    return place if plugin == "hf" else f"{plugin}:{place}"


def moved(reference: str, then: Path, now: Path) -> str:
    """An absolute path that is gone, at the same relative path from run directory `now` as from `then`; all else unchanged."""
    plugin, colon, path = reference.rpartition(":")
    if not Path(path).is_absolute() or Path(path).exists():
        return reference
    found = os.path.normpath(now.absolute() / os.path.relpath(path, then))
    return f"{plugin}{colon}{found}" if Path(found).exists() else reference


def identifier_place(folder: str) -> str:
    """The absolute path of an identifier's folder; none stays none."""
    return absolute(folder) if folder else ""


Place = Callable[[str], str]
PLACES: dict[str, Place] = {"suite": suite_place, "student": model_place, "teacher": teacher_place, "identifier": identifier_place}
