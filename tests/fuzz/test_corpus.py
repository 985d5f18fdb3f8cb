"""What fuzzing has found, and what it begins with, is answered in one line or read: never with anything but a ReadbenchError.

The search itself is `python tests/fuzz/run.py TARGET --seconds 300`; an input that it finds is put into corpus/<target>/ with its mend.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from readers import READERS
from sound import RESULTS, SEEDS
from targets import TARGETS, loaded, refuses_or_reads

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} | SEEDS.keys() == TARGETS.keys()


def test_the_sound_document_is_read_by_every_reader() -> None:
    """Else the search would only ever see refusals."""
    for read in READERS:
        read(loaded(RESULTS))


@pytest.mark.parametrize(("target", "data"), [(target, data) for target, seeds in SEEDS.items() for data in seeds])
def test_what_the_search_begins_with_is_sound(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("file", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_input_gets_out_but_as_a_readbench_error(file: Path) -> None:
    refuses_or_reads(file.parent.name, file.read_bytes())


@pytest.mark.parametrize("target", sorted(TARGETS.keys() - {"page"}))
@pytest.mark.parametrize("content", [b"", b"\0", b"\xff\xfe\xfd", b"{", b"[" * 3000, b"a: b\n" * 10], ids=range(6))
def test_no_target_is_upset_by_rubbish(target: str, content: bytes) -> None:
    refuses_or_reads(target, content)


def test_the_search_runs_as_its_docs_say(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", CORPUS.parent / "run.py", "drawn", "--seconds", "1", "--finds", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "executions" in done.stdout
