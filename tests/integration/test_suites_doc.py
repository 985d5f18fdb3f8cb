"""The suite that docs/suites.md writes, with its own commands, on models of a few thousand weights."""

import json
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from readbench.base.errors import ConfigError
from readbench.results.document.reading import load
from readbench.runs.studies.test_set import write_test_set
from readbench.suites.grading import Grader
from readbench.suites.suite import load_suite
from support.commands import Done, command
from support.models import write_long_llama

DOC = (Path(__file__).parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOC, flags=re.DOTALL | re.MULTILINE)


def readbench(where: Path, *arguments: str) -> Done:
    return command(*arguments, folder=where)


def command_of(name: str) -> list[str]:
    """The page's command that begins so, without its program."""
    (line,) = {line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.startswith(f"readbench {name}")}
    return line.split()[1:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files: its one question, in many numbers, and its suite; and a random teacher and student with room for its prompts."""
    where = tmp_path_factory.mktemp("site")
    folder = where / "machine"
    folder.mkdir()
    (suite,) = [block for kind, block in BLOCKS if kind == "yaml" and block.startswith("# machine/suite.yaml")]
    (folder / "suite.yaml").write_text(suite, encoding="utf-8")
    (line,) = [block for kind, block in BLOCKS if kind == "json"]
    lines = [json.loads(line.replace("E4", f"E{n}").replace("filter", f"filter {n}")) for n in range(400)]
    (folder / "manual.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    for seed, name in enumerate(("my-teacher", "my-student")):
        write_long_llama(where / name, seed)
    done = readbench(where, *command_of("suite test-set machine"))
    assert (done.returncode, done.stderr) == (0, f"{(folder / 'test.jsonl').resolve()}: 60 questions\n")
    return where


def test_the_test_set_follows_the_weights_and_asks_what_is_never_taught(site: Path) -> None:
    suite = load_suite(str(site / "machine"))
    questions, _ = suite.test_questions()
    assert len(questions) == 60
    assert [sum(q.verifier == name for q in questions) for name in ("regex", "gym")] == [40, 20]


def test_the_suite_shows_what_it_asks(site: Path) -> None:
    shown = readbench(site, *command_of("suite show machine")).stdout
    for text in (
        "manual (67% of the task), easy, verifier regex",
        "sums (33% of the task), hard, verifier gym",
        "tables (not in the task)",
    ):
        assert text in shown
    rows = json.loads(readbench(site, *command_of("suite show machine"), "--json").stdout)
    assert [row["difficulty"] for row in rows] == ["easy", "medium", "hard"] * 3
    assert [row["verifier"] for row in rows if row["capability"] != "tables"] == ["regex"] * 3 + ["gym"] * 3


def test_the_run_measures_what_is_written_and_shows_answers_that_never_verify(site: Path) -> None:
    dry = readbench(site, *command_of("run --suite machine"))
    assert dry.returncode == 0, dry.stderr
    command = [part for part in command_of("run --suite machine") if part not in ("--dry-run", "--budget", "200000")]
    small = [
        "--budget",
        "20000",
        "--intervals",
        "2",
        "--allocators",
        "uniform",
        "--seeds",
        "1",
        "--set",
        "max_new_tokens=16",
        "--out",
        "run",
    ]
    done = readbench(
        site, *command, *small, *(f"--set={each}" for each in ("max_new_tokens=16", "num_probes=6", "num_dev=6", "executor=inline"))
    )
    assert done.returncode == 0, done.stderr
    results = load(site / "run" / "results.json")
    (trial,) = results.complete
    assert trial.metrics.utility == 0  # of a model of random weights
    for interval in trial.intervals:
        assert interval.verified == dict.fromkeys(("manual", "sums", "tables"), 0)
        assert all(len(answers) <= 3 for answers in interval.unverified.values())
    assert "answers verify (manual 0%, sums 0%, tables 0%)" in done.stderr + done.stdout
    count = sum(interval.examples["sums"] for interval in trial.intervals)
    assert f"warning: none of the teacher's {count} answers to sums verifies, such as " in done.stderr + done.stdout


def block_of(start: str) -> str:
    (block,) = [block for kind, block in BLOCKS if kind == "yaml" and block.lstrip().startswith(start)]
    return block


def changed(site: Path, name: str, old: str, new: str) -> Path:
    """A copy of the page's suite, with a line of it replaced."""
    folder = site / name
    shutil.copytree(site / "machine", folder)
    text = (folder / "suite.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "suite.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_the_joint_form_has_items_of_its_chains(site: Path) -> None:
    folder = changed(site, "joint", "probes: generate\n", block_of("composition:") + "probes: generate\n")
    with pytest.raises(ConfigError, match="holds another test set; move it away first"):
        write_test_set(folder, 30)
    (folder / "test.jsonl").unlink()
    write_test_set(folder, 30)
    suite = load_suite(str(folder))
    questions, items = suite.test_questions()
    assert len(set(items)) == 30
    pairs = Counter(tuple(q.verifier for q, item in zip(questions, items, strict=True) if item == n) for n in range(30))
    assert pairs == {("regex", "gym"): 20, ("gym", "gym"): 10}


def test_public_benchmarks_and_a_dataset_are_read_as_written(site: Path) -> None:
    named = load_suite(str(changed(site, "public", "test: {generate: test.jsonl}\n", block_of("test: {lm_eval"))))
    assert set(named.config.test.lm_eval or {}) == {"asdiv", "ifeval"}
    with pytest.raises(ConfigError, match="names lm-eval's own tasks as its test"):
        write_test_set(named.folder, 30)
    rows = [{"question": f"{n} and {n}?", "answer": f"{n} + {n}\n#### {2 * n}"} for n in range(30)]
    block = block_of("sums:\n    dataset:").replace("openai/gsm8k", "rows.jsonl")
    folder = changed(site, "dataset", '  sums: {source: "gym:chain_sum", weight: 1}\n', block)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    question = load_suite(str(folder), tested=False).sources()[1].sample(random.Random(0), 0)
    assert question.prompt.endswith("End with: The answer is ...")
    assert Grader().right(question, f"The answer is {2 * int(question.prompt.split()[0])}.")
