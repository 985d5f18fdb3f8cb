"""A run with a teacher for one capability and another one for the rest."""

import json
from pathlib import Path

import pytest

from readbench.results.document.reading import load
from support.commands import command
from support.models import write_long_llama

SMALL = ("--suite", "multilingual", "--budget", "5000", "--intervals", "2", "--set", "num_probes=4", "--set", "num_dev=4")
GRID = ("--allocators", "uniform", "--seeds", "1", "--set", "executor=inline", "--set", "max_new_tokens=16")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The lab's teacher alone, and with the untrained student as the teacher of math."""
    base = tmp_path_factory.mktemp("teachers")
    for name, teacher in (("one", "lab/teacher"), ("two", "math=lab/student")):
        done = command("run", *SMALL, *GRID, "--teacher", teacher, "--out", base / name)
        assert done.returncode == 0, done.stderr
    return {name: base / name for name in ("one", "two")}


def test_each_capability_has_its_own_teacher_s_answers_and_profile(runs: dict[str, Path]) -> None:
    one, two = load(runs["one"]), load(runs["two"])
    assert one.start is not None
    assert two.start is not None
    assert two.config.teacher == "lab/teacher,math=lab/student"
    assert two.provenance.teacher != one.provenance.teacher
    (first,), (second,) = one.complete, two.complete
    for before, after in zip(first.intervals, second.intervals, strict=True):
        assert {c: n for c, n in after.verified.items() if c != "math"} == {c: n for c, n in before.verified.items() if c != "math"}
    assert sum(i.verified["math"] for i in first.intervals) > sum(i.verified["math"] for i in second.intervals)
    profiles = [results.start.teacher_profile or {} for results in (one, two)]
    first_rest, second_rest = ({c: v for c, v in each.items() if c != "math"} for each in profiles)
    assert first_rest == second_rest
    assert profiles[0]["math"] > profiles[1]["math"]
    answers = {example.capability: example for example in two.start.examples}
    assert answers["math"].teacher == answers["math"].before  # it is the student's
    assert [example.teacher for example in two.start.examples if example.capability != "math"] == [
        example.teacher for example in one.start.examples if example.capability != "math"
    ]


def test_the_run_is_the_same_however_its_teachers_are_written(runs: dict[str, Path]) -> None:
    again = command("run", *SMALL, *GRID, "--teacher", "math=lab/student,lab/teacher", "--out", runs["two"])
    assert (again.returncode, "nothing to run" in again.stderr) == (0, True), again.stderr
    assert command("resume", runs["two"]).returncode == 0


@pytest.mark.parametrize("objective", ["forward-kl", "rlad"])
def test_an_objective_reads_each_capability_s_own_teacher(objective: str, tmp_path: Path) -> None:
    finals = []
    more = ("--set", f"params.objective.{objective}.group_size=2") if objective == "rlad" else ()
    for teacher in ("lab/teacher", "math=lab/student", "lab/teacher,math=lab/teacher"):
        out = tmp_path / str(len(finals))
        done = command("run", *SMALL, *GRID, "--objective", objective, *more, "--teacher", teacher, "--out", out)
        assert done.returncode == 0, done.stderr
        finals.append([trial.profile.after for trial in load(out).complete])
    assert finals[0] != finals[1]
    assert finals[0] == finals[2]  # the same teacher by another name


def test_what_cannot_be_is_one_line(runs: dict[str, Path], tmp_path: Path) -> None:
    write_long_llama(tmp_path / "other", 0)
    recorded = f"recorded:{runs['one']}"
    for teacher, said in (
        ("mth=lab/student", "the suite has no capability 'mth'; did you mean 'math'?"),
        (f"{recorded},math=lab/student", "a recorded teacher repeats a whole run; name it alone"),
        (f"recorded:{runs['two']}", "had several teachers, and cannot be repeated from its record"),
        ("openai:a,math=openai:b", "teachers openai:a and openai:b are not local; one of a run may be"),
        ("math=lab/nobody", "lab/nobody"),
    ):
        done = command("run", *SMALL, *GRID, "--teacher", teacher, "--dry-run", folder=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
    vocabulary = command("run", *SMALL, *GRID, "--objective", "forward-kl", "--teacher", f"math={tmp_path / 'other'}", "--dry-run")
    assert "they have different vocabularies" in vocabulary.stderr
    assert json.loads(command("run", *SMALL, *GRID, "--teacher", "math=lab/student", "--dry-run", "--json").stdout)["num_trials"] == 1
