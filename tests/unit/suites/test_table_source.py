"""Questions from tables: files in a suite's folder, and datasets that the datasets library finds by id."""

import json
import random
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from readbench.api import Difficulty
from readbench.base.documents import typed
from readbench.base.errors import ConfigError
from readbench.suites.grading import Grader
from readbench.suites.sources.table import Table, TableConfig, _of_hub
from readbench.suites.suite import load_suite
from support.suites import suite_text, write_suite

LEVELS: tuple[Difficulty, ...] = (0, 1, 2)
ROWS = [{"question": f"{n} and {n}?", "solution": f"{n} + {n}\n#### {2 * n}", "meta": {"steps": [n % 9]}, "hard": n} for n in range(60)]
MAPPED = {"prompt": "Q: {{question}}", "answer": "{{solution}}", "reference": "{{ solution }}", "verifier": "number", "factors": ["hard"]}


def write(folder: Path, suffix: str, rows: list[dict[str, Any]] = ROWS) -> str:
    path = folder / f"data{suffix}"
    if suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.name


def table(folder: Path, path: str, **changes: Any) -> Table:
    return Table(typed(TableConfig, {"path": path, **MAPPED, **changes}, "suite.yaml"), folder)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json", ".jsonl"])
def test_every_kind_of_file_gives_the_same_questions(tmp_path: Path, suffix: str) -> None:
    source, grader = table(tmp_path, write(tmp_path, suffix)), Grader()
    for level in LEVELS:
        question = source.sample(random.Random(0), level)
        number = int(question.prompt.split()[1])
        assert question.prompt == f"Q: {number} and {number}?"
        assert 20 * level <= number < 20 * (level + 1)  # the column `hard`, in thirds
        assert grader.score(question, f"It makes {2 * number}.") == 1
        assert grader.score(question, f"It makes {2 * number + 1}.") == 0
    assert source.content == table(tmp_path, write(tmp_path, ".jsonl")).content


def test_fields_inside_a_column_are_reached_and_only_the_first_rows_are_read(tmp_path: Path) -> None:
    source = table(tmp_path, write(tmp_path, ".parquet"), answer="{{meta.steps[0]}} steps", reference="", verifier="exact", rows=9)
    answers = {source.sample(random.Random(seed), 0).answer for seed in range(50)}
    assert answers == {"0 steps", "1 steps", "2 steps"}


def test_a_dataset_is_found_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some" / "dataset"
    folder.mkdir(parents=True)
    for split, rows in (("train", ROWS[:40]), ("test", ROWS[40:])):
        pd.DataFrame(rows).to_parquet(folder / f"{split}.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    numbers = {int(table(tmp_path, "some/dataset", split="test").sample(random.Random(s), 2).prompt.split()[1]) for s in range(40)}
    assert min(numbers) >= 53
    with pytest.raises(ConfigError, match=r"dataset 'some/dataset' cannot be loaded: .*validation"):
        table(tmp_path, "some/dataset", split="validation")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": "{{qestion}}"}, r"row 0: prompt: there is no column 'qestion'.*did you mean 'question'"),
        ({"prompt": "{{meta.steps[3]}}"}, r"there is no column 'meta.steps\[3\]'"),
        ({"answer": "{{empty}}"}, r"row 0: answer renders nothing"),
        ({"reference": "{{empty}}"}, r"row 0: reference renders nothing"),
        ({"verifier": "numbr"}, "dataset data.jsonl: unknown verifier 'numbr'"),
        ({"reference": "{{question}} 9"}, "row 0: its own answer is wrong by verifier 'number'"),
        ({"reference": "none"}, "row 0: verifier number needs a number as the right answer"),
        ({"factors": ["question"]}, "row 0: factors must be numbers"),
        ({"factors": ["depth"]}, "there is no column 'depth'"),
        ({"rows": 2}, "dataset data.jsonl has 2 questions"),
        ({"path": "no/such-dataset"}, "dataset 'no/such-dataset' cannot be loaded"),
        ({"path": "broken.json"}, "broken.json is not valid JSON"),
        ({"path": "broken.parquet"}, "broken.parquet cannot be read"),
        ({"path": "object.json"}, "object.json must be a list of objects"),
        ({"path": "/etc/letters"}, "path: "),
        ({"path": "../letters.csv"}, "path: "),
        ({"columns": "x"}, "unknown setting 'columns'"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write(tmp_path, ".jsonl", [row | {"empty": None} for row in ROWS])
    for name, text in (("broken.json", "["), ("broken.parquet", "PAR1"), ("object.json", "{}")):
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said) as raised:
        table(tmp_path, **{"path": "data.jsonl"} | changes)
    assert "\n" not in str(raised.value)


def suite_of(folder: Path, dataset: str) -> str:
    math = f"dataset: {{{dataset}}}, weight: 1"
    write_suite(folder, suite_text(math=math, code="source: lab.code"), test=[{"prompt": "1 and 1?", "answer": "2"}])
    return str(folder)


def test_a_suite_s_hash_follows_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = 'prompt: "{{question}}", answer: "{{solution}}"'
    suite = suite_of(tmp_path / "s", f"path: data.csv, {mapping}")
    with pytest.raises(ConfigError, match=r"there is no file 'data\.csv' next to suite\.yaml"):
        load_suite(suite)
    write(tmp_path / "s", ".csv")
    first = load_suite(suite)
    assert first.sources()[0].sample(random.Random(0), 0).prompt.endswith("?")
    hashed = first.content_hash()
    write(tmp_path / "s", ".csv", [{"question": "Another?", "solution": "1"}] * 3)
    assert load_suite(suite).content_hash() != hashed
    assert load_suite(suite).sources()[0].sample(random.Random(0), 0).prompt == "Another?"

    folder = tmp_path / "some" / "dataset"
    folder.mkdir(parents=True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    hashes = set()
    for rows in (ROWS, ROWS[:-1]):
        pd.DataFrame(rows).to_parquet(folder / "train.parquet")
        _of_hub.cache_clear()
        hashes.add(load_suite(suite_of(tmp_path / "h", f"path: some/dataset, {mapping}")).content_hash())
    assert len(hashes) == 2
