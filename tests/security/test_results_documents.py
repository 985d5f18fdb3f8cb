"""A results document may come from anybody's build: what contradicts itself is refused where it is read, in one line that says where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.base.files import sealed
from readbench.results.document.reading import load
from readbench.trials.record.run_files import read_run
from support.results import parsed

Change = Callable[[dict[str, Any]], object]


def text_of(document: dict[str, Any], change: Change) -> str:
    separate = json.loads(json.dumps(document))  # the fixture shares parts
    change(separate)
    return json.dumps(separate)


def test_the_document_is_sound_before_it_is_changed(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(document))
    assert load(tmp_path / "results.json") == parsed(document)


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "a trial twice": (lambda d: d["trials"].append(d["trials"][0]), "appears twice"),
    "an id twice": (lambda d: d["trials"][1].update(id=d["trials"][0]["id"]), "appears twice"),
    "a capability without a score": (lambda d: d["trials"][0]["profile"]["after"].pop("math"), "'math'"),
    "a capability of nobody": (lambda d: d["trials"][0]["profile"]["before"].update(juggling=0.5), "'juggling'"),
    "an interval without a share": (lambda d: d["trials"][0]["intervals"][0]["allocation"].pop("code"), "intervals[0].allocation"),
    "a teacher without a score": (lambda d: d["start"]["teacher_profile"].pop("math"), "start.teacher_profile"),
    "an example twice": (lambda d: d["start"]["examples"].append(d["start"]["examples"][0]), "start.examples"),
    "no requirement": (lambda d: d["suite"].update(requirement=dict.fromkeys(d["suite"]["capabilities"], 0.0)), "zero throughout"),
    "a requirement too few": (lambda d: d["suite"]["requirement"].pop("math"), "suite.requirement"),
    "a margin of no metric": (lambda d: d["suite"]["margins"].update({"juggling": 0.1}), "not a metric of the suite"),
    "a gap between intervals": (lambda d: d["trials"][0]["intervals"][0].update(interval=1), "lacks an interval"),
    "no interval": (lambda d: d["trials"][0].update(intervals=[]), "intervals: fewer than 1"),
    "no list of intervals": (lambda d: d["trials"][0].update(intervals=None), "intervals"),
    "no answers": (lambda d: d["trials"][0].update(answers=None), "answers: input should be an object"),
    "NaN": (lambda d: d["trials"][0]["intervals"][0].update(reward=float("nan")), "nan is not a finite number"),
    "infinity": (lambda d: d["trials"][0]["intervals"][0].update(reward=float("inf")), "inf is not a finite number"),
    "a number too large": (lambda d: d["trials"][0]["metrics"].update(spillover=1e300), "larger than"),
    "an integer too large": (lambda d: d["trials"][0].update(seed=10**400), "an integer is larger than"),
    "half a surrogate pair": (lambda d: d["trials"][0]["answers"].update(math="\ud800"), "not valid Unicode"),
    "half a pair as a key": (lambda d: d["environment"].update({"\ud800": 1}), "not valid Unicode"),
    "endless nesting": (lambda d: d["environment"].update(git=json.loads("[" * 500 + "]" * 500)), "nested deeper"),
    "a fingerprint that is no mapping": (lambda d: d["environment"].update(fingerprint=[1]), "environment.fingerprint"),
    "a seed twice": (lambda d: d["config"].update(seeds=[0, 0]), "config.seeds has one twice"),
    "a budget twice": (lambda d: d["config"].update(budgets=[10_000, 10_000]), "config.budgets has one twice"),
    "a trial outside the grid": (
        lambda d: d["trials"][0].update(objective="jsd"),
        "is of an objective or a budget that config does not have",
    ),
    "an allocator twice": (lambda d: d["config"].update(allocators=["read", "read"]), "config.allocators has one twice"),
    "a setting that is missing": (lambda d: d["config"].pop("num_dev"), "config lacks num_dev"),
    "a command that is no list of texts": (lambda d: d["environment"].update(command=[1, {}]), "command"),
    "a name that is a path": (lambda d: d["trials"][0].update(allocator="../../x"), "allocator"),
    "a name with markup": (lambda d: d["suite"].update(name="<b>"), "suite.name"),
    "an id that is a path": (lambda d: d["trials"][0].update(id="../../x"), "id"),
}


@pytest.mark.parametrize(("change", "said"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
@pytest.mark.parametrize("command", ["compare", "report", "check"])
def test_a_document_that_contradicts_itself_is_one_line(
    readbench: Callable[..., Any], document: dict[str, Any], tmp_path: Path, change: Change, said: str, command: str
) -> None:
    file = tmp_path / "results.json"
    file.write_text(text_of(document, change))
    outcome = readbench(command, file, *(("--baseline", tmp_path / "b.json", "--update") if command == "check" else ()))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {file} is damaged: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json"]


def test_a_forged_trial_id_is_no_way_out_of_the_run_directory(tmp_path: Path) -> None:
    """With a right digest: damage would be noticed anyway."""
    run = {key: {} for key in ("config", "environment", "identity", "origins", "provenance", "suite")}
    for trials in ([{"id": "../../x"}], [{"id": "/etc"}], [{"id": "0" * 15 + "/"}], [{"id": 3}], [{}], ["x"], {}, None, [None]):
        (tmp_path / "run.json").write_text(json.dumps(sealed({**run, "run": "x", "schema": 1, "trials": trials})))
        with pytest.raises(ConfigError, match=r"is not a trial id"):
            read_run(tmp_path)
