"""The recorded teacher reads; it asks nobody and adds nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.api import Response
from readbench.base.errors import ConfigError, DamagedError
from readbench.base.files import sealed, write_json
from readbench.base.machine import DETERMINES
from readbench.runs.recorded import RecordedTeacher, RecordingError
from readbench.teachers.responses import ResponseCache
from readbench.trials.record.run_files import FINGERPRINT, RUN_SCHEMA, START, read_run, write_part

ANSWER = Response(text="4", tokens=2, finished=True)
MEASURED = {"profile": [0.5], "answers": ["4"], "tokens": 7}
Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A run directory as far as a recorded teacher looks at it."""

    def make(*, teacher: str = "openai:m", fingerprint: str = "f" * 32, stored_as: str = "f" * 32) -> Path:
        blank: dict[str, Any] = {key: {} for key in ("config", "environment", "identity", "origins", "run", "suite")}
        run = blank | {"schema": RUN_SCHEMA, "trials": [], "config": {"teacher": teacher}, "provenance": {"teacher": fingerprint}}
        write_json(tmp_path / "run.json", sealed(run))
        write_part(tmp_path, START, read_run(tmp_path), {"student": {}, "teacher": MEASURED})
        cache = ResponseCache(tmp_path / "responses.sqlite")
        cache.put(stored_as, {"2+2=": ANSWER}, max_new_tokens=8)
        cache.close()
        return tmp_path

    return make


def test_it_says_what_was_said_and_passes_as_who_said_it(record: Record) -> None:
    teacher = RecordedTeacher(record())
    assert teacher.respond(["2+2=", "2+2="], max_new_tokens=8) == [ANSWER, ANSWER]
    assert teacher.fingerprint() == "f" * 32
    assert teacher.measured() == MEASURED


def test_a_local_teacher_is_found_under_its_way_of_decoding(record: Record) -> None:
    teacher = RecordedTeacher(record(teacher="lab/teacher", stored_as=f"{'f' * 32}:greedy-1"))
    assert teacher.respond(["2+2="], max_new_tokens=8) == [ANSWER]


def test_a_record_from_where_other_bits_are_computed_is_named(record: Record) -> None:
    folder = record()
    said: list[str] = []
    here = dict.fromkeys(DETERMINES, "") | {"measured": "0" * 32, "processor": "A"}
    write_part(folder, FINGERPRINT, read_run(folder), {"fingerprint": here, "drift": []})
    RecordedTeacher(folder).check_bits(here | {"processor": "B"}, said.append)
    assert said == []
    RecordedTeacher(folder).check_bits(here | {"measured": "1" * 32}, said.append)
    assert said == [f"{folder} was recorded on a machine that computes other bits: the answers are repeated, the trials differ"]


def test_a_prompt_or_a_limit_that_was_not_asked_is_an_error_of_the_run(record: Record) -> None:
    teacher = RecordedTeacher(record())
    for prompt, most in (("3+3=", 8), ("2+2=", 9)):
        with pytest.raises(RecordingError, match="holds no answer to a prompt of this run") as raised:
            teacher.respond([prompt], max_new_tokens=most)
        assert not isinstance(raised.value, ConfigError), "that would be the trial's failure"


def test_the_record_is_left_as_it_was(record: Record) -> None:
    folder = record()
    before = {file: file.read_bytes() for file in folder.iterdir()}
    RecordedTeacher(folder).respond(["2+2="], max_new_tokens=8)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["run.json", "start.json", "responses.sqlite"])
def test_a_record_that_lacks_a_part_is_refused(record: Record, name: str) -> None:
    folder = record()
    (folder / name).unlink()
    with pytest.raises(ConfigError):
        RecordedTeacher(folder)


@pytest.mark.parametrize("name", ["run.json", "start.json", "responses.sqlite"])
def test_a_record_that_was_changed_is_not_believed(record: Record, name: str) -> None:
    folder = record()
    content = (folder / name).read_bytes()
    old, new = (b"ffffffff", b"ffffffef") if name == "run.json" else (b"0.5", b"0.6") if name == "start.json" else (b"4", b"5")
    place = content.rindex(old)
    (folder / name).write_bytes(content[:place] + new + content[place + len(old) :])
    with pytest.raises(DamagedError):
        RecordedTeacher(folder).respond(["2+2="], max_new_tokens=8)
