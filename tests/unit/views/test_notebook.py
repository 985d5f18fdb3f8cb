"""Runs in a notebook: frames, the comparison, what is shown, and the page that explains it all."""

import copy
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import readbench
from readbench.base.errors import ConfigError
from readbench.results.tables import metric_names
from readbench.views.notebook import Run
from support.results import parsed

PAGE = Path(__file__).parents[3] / "docs" / "notebook.md"
HOSTILE = "<script>alert(1)</script>"


Document = dict[str, Any]


def part(document: Document, run: str, allocator: str) -> Document:
    """The run that would have held one allocator's trials alone."""
    trials = [trial for trial in document["trials"] if trial["allocator"] == allocator]
    return copy.deepcopy(document | {"run": run, "config": document["config"] | {"allocators": [allocator]}, "trials": trials})


def unfinished(document: Document, place: int) -> Document:
    """One trial of it has failed."""
    nothing = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    document["trials"][place] |= {"status": "failed", "failure": HOSTILE} | nothing
    return document


class Tags(HTMLParser):
    """Every tag of a fragment, and its text."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(fragment)

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_run_is_loaded_from_a_file_by_its_public_name(document: Document, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(document))
    run = readbench.load(tmp_path / "results.json")
    assert repr(run) == "<readbench run 'a-run': tiny v1, 6 of 6 trials complete>"
    assert run.verdict[0].startswith("read wins: utility 0.600")


def test_several_runs_make_one_and_differences_are_refused(document: Document, tmp_path: Path) -> None:
    one, other = part(document, "one", "uniform"), part(document, "other", "read")
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, each in zip(paths, (one, other), strict=True):
        path.write_text(json.dumps(each))
    run = readbench.load(*paths)
    assert run.compare("uniform").frame.candidate.unique().tolist() == ["read"]
    assert "one + other" in repr(run)
    other["config"]["num_probes"] = 9
    paths[1].write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="num_probes"):
        readbench.load(*paths)
    assert len(readbench.load(*paths, allow_mismatch=True).trials) == 6


def test_trials_are_one_row_each_with_their_metrics_as_columns(document: Document) -> None:
    trials = Run(parsed(unfinished(document, 4))).trials
    assert trials["trial"].tolist() == [t["id"] for t in document["trials"]]
    assert trials["utility"].tolist()[:4] == [0.50, 0.52, 0.48, 0.58]
    assert trials["utility"].isna().tolist() == [False, False, False, False, True, False]
    assert trials["status"].tolist()[4] == "failed"
    assert trials["tokens.trained"].dtype == "float64"
    assert set(metric_names(document["suite"]["capabilities"])) <= set(trials.columns)


def test_a_run_without_any_result_has_frames_of_numbers_too(document: Document) -> None:
    for place in range(6):
        unfinished(document, place)
    run = Run(parsed(document))
    assert run.trials["utility"].dtype == "float64"
    assert len(run.trials) == 6
    assert "no trial has a result" in run._repr_html_()


def test_intervals_and_metrics_are_the_long_tables(document: Document) -> None:
    run = Run(parsed(document))
    assert len(run.intervals) == 6 * 1 * 3
    assert run.intervals["train_loss"].isna().sum() == 6
    wide = run.metrics.query("metric == 'utility'")["value"]
    assert wide.tolist() == run.trials["utility"].tolist()


def test_a_comparison_is_a_frame_and_a_table(document: Document) -> None:
    compared = Run(parsed(document)).compare()
    row = compared.frame.set_index("metric").loc["utility"]
    assert row["mean_difference"] == pytest.approx(0.10)
    assert (row["wins"], row["n"]) == (3, 3)
    shown = Tags(compared._repr_html_())
    assert "+0.100" in shown.text
    assert shown.tags.count("table") == 3
    assert repr(compared).startswith("<comparison of read with uniform")


def test_what_others_wrote_is_text_in_the_html(document: Document) -> None:
    for place in range(3):
        document["trials"][place]["allocator"] = f"<img src=x onerror={HOSTILE}>"
    assert {"script", "img"}.isdisjoint(Tags(Run(parsed(document)).compare("read")._repr_html_()).tags)
    shown = Tags(Run(parsed(unfinished(document | {"run": HOSTILE}, 5)))._repr_html_())
    assert {"script", "img"}.isdisjoint(shown.tags)
    assert shown.text.count(HOSTILE) >= 3  # the run, the allocator, the failure's reason


def test_the_code_of_the_page_runs(document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (named,) = re.findall(r'rb\.load\("(.*?)"\)', blocks[0])
    (tmp_path / named).mkdir(parents=True)
    (tmp_path / named / "results.json").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("readbench.results.document.reading.read_run", lambda _: {"trials": document["trials"]})
    names: dict[str, Any] = {}
    for block in blocks:
        exec(re.sub(r".*\.plot\(\).*\n", "", block), names)  # noqa: S102 - the page's own code; plots need matplotlib
    assert names["curves"]["read"]["math"].tolist() == [0.5]
    assert isinstance(names["rows"], pd.DataFrame)
    assert len(names["rows"]) == 7 + 3


def test_the_page_names_every_column_and_metric(document: Document) -> None:
    page = PAGE.read_text(encoding="utf-8")
    run = Run(parsed(document))
    known = set(re.findall(r"`([\w.]+)`", page))
    assert {*run.metrics.columns, *run.intervals.columns} <= known
    assert {name.replace(".math", ".C").replace(".code", ".C") for name in metric_names(["math", "code"])} <= known


def test_importing_readbench_brings_no_pandas() -> None:
    code = "import sys, readbench; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
