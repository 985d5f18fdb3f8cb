"""A trial's commits in a storage: whoever takes it over reads one whole commit, whatever was killed when; one attempt has it at a time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import LocalFileSystem

from readbench.base.errors import DamagedError, SurroundingError
from readbench.base.files import sealed
from readbench.runs.executors.cluster.storage import Attempt, Folder, Remote, Storage, TakenOver, fetch, open_storage

NAME = "trials/0123456789abcdef"


def folder_storage(base: Path) -> Storage:
    return Folder(base)


def remote_storage(base: Path) -> Storage:
    return Remote(LocalFileSystem(), str(base))


@pytest.fixture(params=[folder_storage, remote_storage], ids=["folder", "url"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return request.param(tmp_path / "storage")


def commit(folder: Path, number: int, *, end: bool = False) -> dict[str, bytes]:
    """The files of a trial after so many commits: each replaces its database and its checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
    content = {"trial.sqlite": b"rows %d" % number, "lock": b"1", ".x.tmp": b"half"}
    if end:
        content |= {"student/model.safetensors": b"weights", "student/adapter/a.json": b"{}"}
    else:
        content[f"checkpoints/{number}"] = b"weights and moments %d" % number
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return {name: text for name, text in content.items() if name not in ("lock", ".x.tmp")}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(tmp_path: Path) -> set[str]:
    """Names of objects in the storage."""
    root = tmp_path / "storage" / NAME
    return {path.name for path in root.rglob("*") if path.is_file()} - {"head.json", "mark"}


def test_the_last_commit_is_what_the_next_attempt_reads(storage: Storage, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert not fetch(storage, NAME, there)
    attempt = Attempt(storage, NAME, here)
    attempt.take_over()
    assert not here.exists()
    for number in range(3):
        last = commit(here, number)
        attempt.publish()
        assert len(stored(tmp_path)) == 2, "nothing is kept that no head names"
    Attempt(storage, NAME, there).take_over()
    assert files(there) == last
    final = commit(there, 3, end=True)
    other = Attempt(storage, NAME, there)
    other.mark()
    other.publish()
    assert fetch(storage, NAME, tmp_path / "driver")
    assert files(tmp_path / "driver") == final
    assert storage.names("trials") == [NAME.partition("/")[2]]
    storage.remove(NAME)
    assert storage.names("trials") == []
    storage.remove(NAME)
    storage.remove("")
    assert storage.names("trials") == []


def test_an_attempt_that_was_taken_over_commits_nothing_more(storage: Storage, tmp_path: Path) -> None:
    slow, fast = Attempt(storage, NAME, tmp_path / "slow"), Attempt(storage, NAME, tmp_path / "fast")
    slow.take_over()
    commit(tmp_path / "slow", 0)
    slow.publish()
    fast.take_over()
    last = commit(tmp_path / "fast", 1)
    fast.publish()
    commit(tmp_path / "slow", 1)
    with pytest.raises(TakenOver):
        slow.publish()
    fetch(storage, NAME, tmp_path / "driver")
    assert files(tmp_path / "driver") == last


class Killed(Exception):
    """Stands for a process that dies."""


class Dying:
    """A storage whose process dies at the k-th call that changes it: before the change, or in the middle of a copy."""

    def __init__(self, storage: Storage, at: int) -> None:
        self._storage, self._left = storage, at

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._storage, name)
        if name not in ("write", "put", "remove"):
            return call

        def changed(*arguments: Any) -> Any:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return call(*arguments)

        return changed


def test_a_kill_at_any_call_leaves_one_whole_commit(storage: Storage, tmp_path: Path) -> None:
    for at in range(100):
        storage.remove(NAME)
        here = tmp_path / f"here-{at}"
        attempt = Attempt(Dying(storage, at), NAME, here)
        commits: list[dict[str, bytes]] = []
        try:
            attempt.take_over()
            for number in range(4):
                commits.append(commit(here, number, end=number == 3))
                attempt.publish()
        except Killed:
            pass
        else:
            assert at > 12, "every call was tried"
            return
        found = files(tmp_path / f"there-{at}") if fetch(storage, NAME, tmp_path / f"there-{at}") else None
        assert found in (None, *commits[-2:]) if len(commits) < 2 else found in commits[-2:]
        again = Attempt(storage, NAME, tmp_path / f"again-{at}")
        again.take_over()
        last = commit(tmp_path / f"again-{at}", 9)
        again.publish()
        fetch(storage, NAME, tmp_path / f"driver-{at}")
        assert files(tmp_path / f"driver-{at}") == last
    raise AssertionError("it never ended")


def flip(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def redirect(head: Path, file: str, place: str | None = None) -> None:
    """A head that was sealed by somebody who has no good in mind."""
    named = json.loads(head.read_text())["files"]
    head.write_text(json.dumps(sealed({"files": {file: place or named["trial.sqlite"]}})))


def rename(head: Path) -> None:
    head.write_text(head.read_text().replace("trial.sq", "trial.sx"))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit in a file": lambda root: flip(next(path for path in root.rglob("*") if len(path.name) == 32 and path.is_file())),
    "a missing file": lambda root: next(path for path in root.rglob("*") if len(path.name) == 32 and path.is_file()).unlink(),
    "a head cut short": lambda root: (root / "head.json").write_bytes((root / "head.json").read_bytes()[:-9]),
    "a head with another name": lambda root: (root / "head.json").write_text(
        (root / "head.json").read_text().replace("trial.sq", "trial.sx")
    ),
    "a file outside of the trial": lambda root: redirect(root / "head.json", "../../outside"),
    "an absolute file": lambda root: redirect(root / "head.json", "/outside/of/it"),
    "an object outside of the storage": lambda root: redirect(root / "head.json", "trial.sqlite", "../../../../secret"),
    "a head that is a list": lambda root: (root / "head.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_and_leaves_the_local_folder_alone(damage: Callable[[Path], object], storage: Storage, tmp_path: Path) -> None:
    attempt = Attempt(storage, NAME, tmp_path / "here")
    attempt.mark()
    commit(tmp_path / "here", 0)
    attempt.publish()
    damage(tmp_path / "storage" / NAME)
    before = commit(tmp_path / "there", 5)
    with pytest.raises(DamagedError):
        fetch(storage, NAME, tmp_path / "there")
    assert before.items() <= files(tmp_path / "there").items()
    assert not (tmp_path / ".there.tmp").exists()


def test_a_place_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (Folder(tmp_path / "file"), Remote(LocalFileSystem(), str(tmp_path / "file"))):
        with pytest.raises(SurroundingError) as caught:
            place.write("a/b", b"")
        assert "\n" not in str(caught.value)
    with pytest.raises(SurroundingError, match="storage nobody://knows cannot be used"):
        open_storage("nobody://knows")
