"""`readbench check --update`: what it says, what it writes, and what it leaves alone."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.results import move

Check = Make = Callable[..., Any]
Document = dict[str, Any]


def test_a_new_baseline_is_called_so_and_every_mean_is_shown(check: Check, document: Document, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").unlink()
    shown = check(document, "--update")
    assert shown.code == 0
    assert shown.out.startswith("new baseline baseline.json\n")
    assert "changed:" not in shown.out
    assert "warning" not in shown.out
    (tmp_path / "baseline.json").unlink()
    said = check(document, "--update", "--json").json()
    assert (said["baseline"], said["created"], said["changes"]) == ("baseline.json", True, [])
    names = [(each["allocator"], each["metric"]) for each in said["replaced"]]
    assert names == sorted(names)
    assert {"allocator": "uniform", "metric": "utility", "old": None, "new": {"mean": pytest.approx(0.5), "n": 3}} in said["replaced"]
    assert ("read", "profile.tool_use") in names


def test_one_that_is_replaced_is_called_so_with_only_what_changed(check: Check, worse: Make, with_seeds: Make) -> None:
    run = worse(0.0, 0.03, 0.0)
    move(run, objective="other")
    shown = check(run, "--update")
    assert shown.out.startswith("baseline baseline.json replaced\n")
    assert "0.6000 (3)  0.5900 (3)" in shown.out
    assert shown.out.count("(3)") == 2
    assert shown.out.rstrip().endswith("changed: objective sft → other")
    fewer = check(with_seeds(run, 1, 2), "--update", "--json").json()
    assert (fewer["created"], fewer["changes"]) == (False, [])
    assert {"allocator": "read", "metric": "waste", "old": {"mean": 0.5, "n": 3}, "new": {"mean": 0.5, "n": 2}} in fewer["replaced"]


def test_the_table_says_what_its_columns_are(check: Check, worse: Make) -> None:
    lines = [line.split() for line in check(worse(0.1, 0.1, 0.1), "--update").out.splitlines() if line.strip()]
    assert lines[1] == ["allocator", "metric", "old", "new"]
    assert lines[-1] == ["read", "utility", "0.6000", "(3)", "0.5000", "(3)"]


def test_a_line_is_a_line_however_long(check: Check, readbench: Callable[..., Any], document: Document, tmp_path: Path) -> None:
    """It is searched for in the log of a build."""
    place = Path("a" * 50) / ("b" * 50) / "baseline.json"
    (tmp_path / place.parent).mkdir(parents=True)
    move(document, objective="c" * 50)
    document["config"]["max_new_tokens"] = 99
    (tmp_path / "changed.json").write_text(json.dumps(document))
    said = [readbench("check", run, "--baseline", place, "--update").out for run in ("first.json", "first.json", "changed.json")]
    assert said[0].startswith(f"new baseline {place}\n")
    assert said[1] == f"baseline {place} is up to date: nothing changed\n"
    assert said[2] == f"baseline {place} replaced\nchanged: max_new_tokens 16 → 99; objective sft → {'c' * 50}\n"


def test_only_a_change_of_settings_is_a_change_too(check: Check, document: Document) -> None:
    move(document, objective="other")
    shown = check(document, "--update").out
    assert shown == "baseline baseline.json replaced\nchanged: objective sft → other\n"
    assert check(document, "--json").json()["changes"] == []


def test_an_allocator_that_comes_or_goes_is_shown_with_a_dash(check: Check, document: Document) -> None:
    run = copy.deepcopy(document)
    run["trials"] = run["trials"][:3]
    assert " read utility 0.6000 (3) – " in " ".join(check(run, "--update").out.split())
    gone = [each for each in check(document, "--update", "--json").json()["replaced"] if each["metric"] == "utility"]
    assert gone == [{"allocator": "read", "metric": "utility", "old": None, "new": {"mean": pytest.approx(0.6), "n": 3}}]


def test_a_baseline_that_says_the_same_is_not_written_again(check: Check, document: Document, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    by_hand = json.dumps(json.loads(path.read_text()), indent=7)
    path.write_text(by_hand)
    assert "is up to date: nothing changed" in check(document, "--update").out
    assert path.read_text() == by_hand


def test_another_config_that_changes_nothing_recorded_is_still_written_down(check: Check, document: Document) -> None:
    document["config"]["student"] = "/elsewhere/student"
    assert check(document, "--json").json()["same_config"] is False
    check(document, "--update")
    assert check(document, "--json").json()["same_config"] is True


def test_a_link_to_a_baseline_stays_a_link(check: Check, worse: Make, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, real = tmp_path / "baseline.json", tmp_path / "elsewhere" / "real.json"
    link.rename(real)
    link.symlink_to(real)
    run = worse(0.1, 0.1, 0.1)
    assert check(run, "--update").code == 0
    assert link.is_symlink()
    assert check(run).out.rstrip().endswith("and so is the config")


def test_the_warning_of_too_few_seeds_counts_those_of_the_allocator_with_the_fewest(check: Check, document: Document) -> None:
    run = copy.deepcopy(document)
    del run["trials"][4:]  # of read one seed is left, of uniform three
    assert check(run, "--update").out.rstrip().endswith("warning: 1 seed can only be found identical: a verdict needs 3")
    del document["trials"][5:]
    assert "warning: 2 seeds can only be found identical" in check(document, "--update").out


@pytest.mark.parametrize(
    "arguments",
    [("--metrics", "utility"), ("--markdown", "a.md"), ("--junit", "a.xml"), ("--inconclusive", "fail"), ("--margin", "utility=0.1")],
)
def test_what_judges_has_no_use_in_an_update(check: Check, worse: Make, tmp_path: Path, arguments: tuple[str, str]) -> None:
    before = (tmp_path / "baseline.json").read_bytes()
    refused = check(worse(0.1, 0.1, 0.1), "--update", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"error: --update judges nothing, so {arguments[0]} has no use; drop one of them\n"
    assert (tmp_path / "baseline.json").read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    check: Check, readbench: Callable[..., Any], document: Document
) -> None:
    for place, said in ((".", "--baseline . is not a file"), ("nowhere/b.json", "--baseline nowhere/b.json: there is no writable folder")):
        refused = readbench("check", "no-such-run", "--baseline", place, "--update")
        assert refused.code == 2
        assert said in refused.err
