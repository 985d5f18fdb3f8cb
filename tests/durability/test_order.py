"""P2: what was acknowledged is on disk. Linted over the calls of a real trial, in their order over all threads."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from .conftest import Stand

SHARED = "responses.sqlite"  # another thread's, perhaps in the middle of a transaction when an interval is acknowledged


def violations(log: Sequence[str]) -> list[str]:
    """Where a power cut could take back what was renamed, overwritten or acknowledged before it was flushed."""
    found: list[str] = []
    written: set[str] = set()  # files whose content is not flushed
    entered: set[str] = set()  # paths whose folder is not flushed since they came, went or changed their name
    for line in log:
        call, path, other = (*line.split(" "), "", "")[:3]
        match call:
            case "create" | "make" if not PurePath(path).name.startswith(".tmp"):
                entered.add(path)
            case "write" if PurePath(path).name.startswith(".tmp"):
                pass  # safetensors gives it its name by a system call of its own, which the shim does not see
            case "write":
                written.add(path)
                if f"{path}-journal" in written:
                    found.append(f"{path} was overwritten before its journal was flushed")
            case "sync":
                written.discard(path)
                entered -= {entry for entry in entered if str(PurePath(entry).parent) == path}
            case "rename":
                inside = [item for item in written | entered if item.startswith(f"{path}/")]
                if path in written or inside:
                    found.append(f"{path} was renamed before it was flushed")
                written -= {path, *inside}
                entered = (entered - {path, *inside}) | {other}
            case "remove":
                written.discard(path)
                entered.discard(path)
                if path.endswith("-journal"):  # that is SQLite's commit; other files that come back are garbage
                    entered.add(path)
            case "mark":
                late = [item for item in written | entered if not PurePath(item).name.startswith((SHARED, "lock"))]
                found += [f"{item} was acknowledged before it was flushed" for item in late]
    return found


def calls(stand: Stand, tmp_path: Path, *patches: str) -> list[str]:
    log = tmp_path / "calls.log"
    ended = stand.trial(tmp_path / "run", log=str(log), patches=patches)
    assert ended.status == 0, ended.error
    return log.read_text().splitlines()


def test_nothing_is_renamed_overwritten_or_acknowledged_before_it_is_flushed(stand: Stand, tmp_path: Path) -> None:
    log = calls(stand, tmp_path)
    assert log.count("mark") == 4  # three intervals and the end
    assert sum(line.startswith("rename") for line in log) == 4  # three checkpoints and the student
    assert violations(log) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("import os; os.fsync = lambda descriptor: None", "renamed before"),
        ("import readbench.base.files as f; f.sync = lambda path: None", "acknowledged before"),
        (
            "import readbench.base.files as f, readbench.trials.record.store as s\n"
            "def loose(path, **options):\n"
            "    connection = f.open_database(path, **options)\n"
            "    connection.execute('PRAGMA synchronous = OFF')\n"
            "    return connection\n"
            "s.open_database = loose",
            "before its journal",
        ),
        (
            "import readbench.base.files as f, readbench.trials.record.store as s\n"
            "def loose(path, **options):\n"
            "    connection = f.open_database(path, **options)\n"
            "    connection.execute('PRAGMA synchronous = FULL')\n"
            "    return connection\n"
            "s.open_database = loose",
            "journal was acknowledged before",
        ),
    ],
    ids=["no fsync", "no fsync of folders", "synchronous=OFF", "synchronous=FULL"],
)
def test_the_lint_finds_a_missing_flush(stand: Stand, tmp_path: Path, fault: str, said: str) -> None:
    assert any(said in line for line in violations(calls(stand, tmp_path, fault)))
