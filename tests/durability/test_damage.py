"""P4: damage is detected, never believed. Each file of a finished run is flipped, truncated, emptied, deleted and swapped."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from readbench.api import Response
from readbench.base.errors import ConfigError, DamagedError
from readbench.teachers.responses import ResponseCache
from readbench.trials.record.store import TrialState, TrialStore
from readbench.trials.record.trial_file import read_trial
from readbench.views.cli.main import main

GRID = ("--allocators", "uniform", "--seeds", "2", "--budget", "6000", "--intervals", "2")
SHORT = ("run", "--suite", "multilingual", *GRID, "--set", "num_probes=4", "--set", "num_dev=4")
READERS = {  # what is shown comes from the run directory alone
    "results": ("results", "{run}", "--json"),
    "report": ("report", "{run}", "-o", "{run}/../page.html"),
    "check": ("check", "{run}", "--baseline", "{run}/../baseline.json"),
}
UNREAD = {"lock", "responses.sqlite"}  # of a finished run: nothing asks the teacher again


def flip(content: bytes) -> bytes:
    place = random.Random(len(content)).randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped": flip,
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: content[:0],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    subprocess.run([sys.executable, "-m", "readbench", *SHORT, "--out", run_dir], check=True, capture_output=True)
    return run_dir


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def files(run: Path) -> list[str]:
    names = (path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
    return sorted(name for name in names if name.rpartition("/")[2] not in UNREAD)


def said(capsys: pytest.CaptureFixture[str], run: Path, command: str) -> tuple[int, str, str]:
    code = main([argument.format(run=run) for argument in READERS[command]])
    captured = capsys.readouterr()
    page = run.parent / "page.html"
    shown = page.read_text() if command == "report" and code == 0 else captured.out
    return code, shown, captured.err


def damaged(run: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Damages one file after the other in every way, and mends it again: (file, what was done to it)."""
    trials = sorted((run / "trials").iterdir())
    for name in names:
        path = run / name
        content = path.read_bytes()
        for how, change in DAMAGE.items():
            path.write_bytes(change(content))
            yield name, how
        path.unlink()
        yield name, "deleted"
        twin = Path(str(path).replace(trials[0].name, trials[1].name))
        if twin != path and (other := twin.read_bytes()) != content:
            path.write_bytes(other)
            yield name, "swapped"
        path.write_bytes(content)


@pytest.mark.parametrize("command", READERS)
def test_a_command_names_the_damaged_file_or_does_not_read_it(run: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = (run / "results.json").read_bytes()
    assert main(["check", str(run), "--update", "--baseline", str(run.parent / "baseline.json")]) == 0
    capsys.readouterr()
    code, expected, _ = said(capsys, run, command)
    assert code == 0
    refused = set()
    for name, how in damaged(run, files(run) if command == "results" else [name for name in files(run) if "/" not in name]):
        code, out, err = said(capsys, run, command)
        if code == 0 and name != "results.json":
            assert out == expected, f"{name}, {how}: another result was believed"
        elif code == 0:
            assert command == "results" or (command, how) == ("report", "deleted"), f"{name}, {how}"  # made of the trials' records
        else:
            assert code in (2, 4), f"{name}, {how}: {err}"
            assert err.startswith("error: "), f"{name}, {how}: {err}"
            assert err.count("\n") == 1, f"{name}, {how}: {err}"
            assert Path(name).name in err or how == "deleted", f"{name}, {how}: {err}"
            refused.add((name, how))
        (run / "results.json").write_bytes(results)
    if command == "results":
        told = {name for name, how in refused if how in DAMAGE} | {"results.json"}
        assert told == set(files(run))


@pytest.mark.parametrize("name", ["run.json", "fingerprint.json", "trials/{id}/trial.sqlite", "trials/{id}/student/model.safetensors"])
def test_a_resume_names_the_damaged_file_and_changes_nothing(
    run: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = json.loads((run / "run.json").read_text())["provenance"]["code"]
    monkeypatch.setattr("readbench.base.machine.code_hash", lambda: code)  # the code may be edited while its tests run
    path = run / name.format(id=sorted((run / "trials").iterdir())[0].name)
    content = path.read_bytes()
    changes = [change for how, change in DAMAGE.items() if (how, path.suffix) != ("flipped", ".sqlite")]  # it may hit an empty page
    for change in changes:
        path.write_bytes(change(content))
        before = {file: (run / file).read_bytes() for file in files(run)}
        assert main(["resume", str(run)]) == 2
        assert path.name in capsys.readouterr().err
        assert {file: (run / file).read_bytes() for file in files(run)} == before


def test_another_run_s_results_are_refused(run: Path, document: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    from readbench.base.files import sealed, write_json

    write_json(run / "results.json", sealed(document))
    assert said(capsys, run, "report")[0] == 2
    assert said(capsys, run, "results")[0] == 0


def test_any_bit_of_a_trial_s_file_is_found_or_without_meaning(tmp_path: Path) -> None:
    folder = tmp_path / "id"
    with TrialStore.open(folder, "id", {"allocator": "uniform"}) as store:
        store.begin({"profile": [0.25], "probe_scores": [[0.5]]})
        for interval in range(3):
            values = {"allocator": b"a", "scheduler": b"s", "ledger": b"l", "prompts": [1], "probe_scores": [[0.5]], "checkpoint": b"c"}
            examples = [(0, 1, interval, 2, 5), (1, 0, interval, 3, 7)]
            store.commit_interval({"reward": 0.125}, {"total": 1.0}, examples, TrialState(interval=interval, **values))  # type: ignore[arg-type]
    sound, path = read_trial(folder), folder / "trial.sqlite"
    content, rng, found = path.read_bytes(), random.Random(0), 0
    for _ in range(400):
        place = rng.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :])
        try:
            read = read_trial(folder)
        except ConfigError as refusal:
            found += "trial.sqlite" in refusal.message
        else:
            assert read == sound
    assert found > 20  # most of a small file is empty pages


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE intervals SET record = replace(record, '0.5', '0.7') WHERE interval = 1",
        "UPDATE intervals SET seconds = '{}' WHERE interval = 1",
        "UPDATE intervals SET state = x'00' WHERE interval = 1",
        "DELETE FROM intervals WHERE interval = 1",
        "DELETE FROM intervals WHERE interval = 2",
        "UPDATE examples SET trained = trained + 1 WHERE slot = 1",
        "DELETE FROM examples WHERE slot = 2",
        "INSERT INTO examples VALUES (9, 0, 0, 99, 1, 1)",
        "UPDATE trial SET status = 'complete'",
        "UPDATE trial SET start = '{}'",
        "UPDATE trial SET id = 'other'",
        "UPDATE trial SET spec = '{}'",
        "DELETE FROM trial",
        "DROP TABLE examples",
        "PRAGMA user_version = 7",
    ],
)
def test_a_changed_row_is_found(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "id"
    with TrialStore.open(folder, "id", {"allocator": "uniform"}) as store:
        store.begin({"profile": [0.25], "probe_scores": [[0.5]]})
        for interval in range(3):
            values = {"allocator": b"a", "scheduler": b"s", "ledger": b"l", "prompts": [1], "probe_scores": [[0.5]], "checkpoint": b"c"}
            store.commit_interval({"a": 0.5}, {"total": 1.0}, [(0, 1, interval, 2, 5)], TrialState(interval=interval, **values))  # type: ignore[arg-type]
    connection = sqlite3.connect(folder / "trial.sqlite")
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(ConfigError, match=r"trial\.sqlite"):
        read_trial(folder)


@pytest.mark.parametrize("column", ["allocator", "scheduler", "ledger", "prompts", "probe_scores", "checkpoint"])
def test_a_changed_state_is_not_gone_on_with(tmp_path: Path, column: str) -> None:
    folder = tmp_path / "id"
    values = {"allocator": b"a", "scheduler": b"s", "ledger": b"l", "prompts": [1], "probe_scores": [[0.5]], "checkpoint": b"c"}
    with TrialStore.open(folder, "id", {}) as store:
        store.commit_interval({}, {}, [], TrialState(interval=0, **values))  # type: ignore[arg-type]
        kind = "TEXT" if column in ("prompts", "probe_scores", "checkpoint") else "BLOB"
        store._connection.execute(f"UPDATE state SET {column} = CAST('x' AS {kind})")  # noqa: S608 - the columns above
        with pytest.raises(DamagedError, match="its state does not match"):
            store.state()


def test_a_changed_response_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    cache = ResponseCache(path)
    for change in ("text = 'five'", "tokens = 1", "finished = 0", "digest = x'00'"):
        cache.put("teacher", {"2+2=": Response(text="four", tokens=2, finished=True)}, max_new_tokens=8)
        cache.close()
        connection = sqlite3.connect(path)
        connection.execute(f"UPDATE responses SET {change}")  # noqa: S608 - the changes above
        connection.commit()
        connection.close()
        with pytest.raises(DamagedError, match=r"responses.sqlite is damaged.*; delete it"):
            cache.get("teacher", ["2+2="], max_new_tokens=8)
        cache.close()
        path.unlink()
