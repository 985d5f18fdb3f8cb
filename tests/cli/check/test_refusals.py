"""`readbench check` given what it cannot judge: one line, the right exit code, and the baseline left alone."""

import copy
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.files import sealed
from support.results import move

Check = Make = Callable[..., Any]


def change(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (change("suite", "version", value=2), "suite.version 1 → 2"),
        (change("suite", "name", value="other"), "suite.name tiny → other"),
        (functools.partial(move, budget_tokens=9), "budget_tokens 10000 → 9"),
        (change("config", "num_intervals", value=2), "num_intervals 1 → 2"),
        (change("config", "num_probes", value=5), "num_probes 4 → 5"),
        (change("config", "num_dev", value=5), "num_dev 4 → 5"),
        (change("provenance", "suite", value="1" * 32), "hash.suite 000000000000 → 111111111111"),
        (change("provenance", "data", value="1" * 32), "hash.data 000000000000 → 111111111111"),
        (change("provenance", "teacher", value="1" * 32), "hash.teacher 000000000000 → 111111111111"),
        (change("provenance", "student", value="1" * 32), "hash.student 000000000000 → 111111111111"),
    ],
)
def test_another_measurement_is_refused_with_both_values(
    check: Check, document: dict[str, Any], changed: Callable[[dict[str, Any]], None], said: str
) -> None:
    changed(document)
    outcome = check(document)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"the run does not measure what baseline baseline.json measured: {said}; " in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "changed",
    [
        change("config", "training", "learning_rate", value=1e-9),
        functools.partial(move, objective="other"),
        change("config", "max_new_tokens", value=9),
        change("config", "student", value="/elsewhere/student"),
        change("provenance", "code", value="1" * 32),
        change("environment", "fingerprint", value={"torch": "9"}),
    ],
)
def test_everything_else_may_change(check: Check, document: dict[str, Any], changed: Callable[[dict[str, Any]], None]) -> None:
    changed(document)
    assert check(document).code == 0


def refused(outcome: Any, code: int, said: str) -> None:
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err


NOTHING = ("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds")  # of a trial without a result


def failed(document: dict[str, Any]) -> dict[str, Any]:
    run = copy.deepcopy(document)
    run["trials"][4] |= {"status": "failed", "failure": "the loss\nis not finite"} | dict.fromkeys(NOTHING)
    return run


def test_an_incomplete_run_is_refused_also_for_an_update(check: Check, document: dict[str, Any], tmp_path: Path) -> None:
    before = (tmp_path / "baseline.json").read_bytes()
    for flags in ((), ("--update",)):
        refused(check(failed(document), *flags), 4, "1 of 6 trials of results.json have no result (read, seed 1: failed)")
    assert (tmp_path / "baseline.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "results.json"),
        ("{", "results.json"),
        ("[]", "holds no results"),
        ("{}", "holds no results"),
        ('{"schema": 2}', "is of schema 2"),
        ('{"schema": 1}', "is damaged"),
        ("[" * 100_000, "results.json"),
        ("\x00", "results.json"),
    ],
)
def test_a_run_that_is_none(check: Check, readbench: Callable[..., Any], tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "results.json").write_text(content)
    refused(readbench("check", "results.json", "--baseline", "baseline.json"), 2, said)


def test_a_run_that_is_not_there_or_has_no_results(check: Check, readbench: Callable[..., Any], tmp_path: Path) -> None:
    refused(readbench("check", "nowhere", "--baseline", "baseline.json"), 2, "nowhere")
    (tmp_path / "folder").mkdir()
    refused(readbench("check", "folder", "--baseline", "baseline.json"), 2, "not a run directory")
    keys = ("config", "environment", "identity", "origins", "provenance", "run", "suite", "trials")
    (tmp_path / "folder" / "run.json").write_text(json.dumps(sealed({"schema": 1, **dict.fromkeys(keys), "trials": []})))
    refused(readbench("check", "folder", "--baseline", "baseline.json"), 4, "has no results yet")


def test_a_run_without_trials(check: Check, document: dict[str, Any]) -> None:
    for flags in ((), ("--update",)):
        outcome = check(document | {"trials": []}, *flags)
        assert outcome.code in (2, 4)
        assert outcome.err.count("\n") == 1


HOLLOW = '{"schema": 1, "measurement": {}, "settings": {}, "config_hash": "", "values": %s}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "baseline baseline.json is empty"),
        ("{", "baseline baseline.json is damaged"),
        ("[" * 100_000, "baseline baseline.json is damaged"),
        ("[" * 900 + "]" * 900, "baseline.json is not a baseline"),
        ("[]", "baseline.json is not a baseline"),
        ('{"schema": 1, "trials": []}', "baseline.json is not a baseline"),
        ('{"schema": 2, "values": {}}', "baseline baseline.json is of schema 2, this version reads 1"),
        ('{"schema": 1, "values": {}}', "baseline baseline.json: "),
        (HOLLOW % "{}", "baseline baseline.json: values"),
        (HOLLOW % '{"a": {"b": {"0": NaN}}}', "nan is not a finite number"),
        (HOLLOW % '{"a": {"b": {"x": 1}}}', "baseline baseline.json: values.a.b"),
        (HOLLOW % '{"a": {"b": {"0": "1"}}}', "baseline baseline.json: values.a.b.0"),
    ],
)
def test_a_baseline_that_is_none_is_refused_and_never_overwritten(
    check: Check, document: dict[str, Any], tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "baseline.json").write_text(content)
    refused(check(document), 2, said)
    refused(check(document, "--update"), 2, said)
    assert (tmp_path / "baseline.json").read_text() == content


def test_a_baseline_that_is_not_there_says_how_to_make_it(check: Check, document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "baseline.json").unlink()
    refused(
        check(document), 2, "there is no baseline baseline.json; make it from a run: readbench check RUN --baseline baseline.json --update"
    )


def edited(tmp_path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    baseline = json.loads((tmp_path / "baseline.json").read_text())
    edit(baseline["values"])
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))


def test_an_allocator_that_the_run_lacks(check: Check, document: dict[str, Any]) -> None:
    document["trials"] = document["trials"][:3]
    refused(check(document), 2, "the run has no allocator 'read', which the baseline holds")


def test_a_metric_that_the_baseline_lacks(check: Check, document: dict[str, Any], tmp_path: Path) -> None:
    edited(tmp_path, lambda values: values["read"].pop("utility"))
    refused(check(document), 2, "the baseline has no 'utility' of 'read'")


def test_seeds_that_carry_no_verdict(check: Check, document: dict[str, Any], worse: Make, with_seeds: Make) -> None:
    refused(
        check(with_seeds(worse(0.1), 0)),
        4,
        "differ and share one seed, which shows no spread; run at least 3 of the baseline's seeds: 0,1,2",
    )
    other = copy.deepcopy(document)
    for trial in other["trials"]:
        trial["seed"] += 10
    refused(check(other), 4, "read: the run shares no seed with the baseline; run the baseline's seeds: 0,1,2")


def test_a_baseline_with_too_few_seeds_to_ever_judge_has_to_be_made_anew(
    check: Check, document: dict[str, Any], worse: Make, with_seeds: Make
) -> None:
    assert check(with_seeds(document, 0, 1), "--update").code == 0
    hint = "which shows no spread; make a baseline of at least 3 seeds with --update"
    refused(check(with_seeds(worse(0.1), 0)), 4, f"read, utility: the run and the baseline differ and share one seed, {hint}")


def test_seeds_are_wanted_in_order_of_their_numbers(check: Check, document: dict[str, Any], tmp_path: Path) -> None:
    for number, trial in enumerate(document["trials"]):
        trial["seed"] = (33, 8, 1)[number % 3]
    assert check(document, "--update").code == 0
    for trial in document["trials"]:
        trial["seed"] += 100
    edited(tmp_path, lambda values: values["read"].update(utility={"33": 0.5, "8": 0.5, "1": 0.5}))
    refused(check(document), 4, "run the baseline's seeds: 1,8,33")


def test_every_trial_without_a_result_is_counted_and_the_first_is_named(check: Check, document: dict[str, Any]) -> None:
    run = failed(document)
    run["trials"][5] = run["trials"][5] | {"status": "incomplete"} | {key: run["trials"][4][key] for key in NOTHING}
    said = "2 of 6 trials of results.json have no result (read, seed 1: failed); resume with: readbench resume results.json"
    refused(check(run), 4, said)


def test_an_allocator_that_is_called_otherwise_is_named(check: Check, document: dict[str, Any]) -> None:
    for trial in document["trials"][3:]:
        trial["allocator"] = "reads"
    refused(check(document), 2, "run it too, or make a new baseline with --update; did you mean 'reads'")


def test_a_metric_that_no_seed_of_the_baseline_has(check: Check, document: dict[str, Any], tmp_path: Path) -> None:
    edited(tmp_path, lambda values: values["read"]["utility"].clear())
    refused(check(document), 2, "the baseline has no 'utility' of 'read'; gate other --metrics, or make a new baseline with --update")


def test_a_summary_that_cannot_be_written_is_said_before_anything_is_judged(
    check: Check, worse: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    refused(check(worse(0.1, 0.1, 0.1), "--junit", "junit.xml"), 5, "the job's summary")
    assert not (tmp_path / "junit.xml").exists()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    assert check(worse(0.1, 0.1, 0.1)).code == 1


def test_one_identical_seed_is_identical(check: Check, document: dict[str, Any], with_seeds: Make) -> None:
    outcome = check(with_seeds(document, 1))
    assert outcome.code == 0
    assert "the run lacks 2 seeds of the baseline: 0, 2" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--margin", "utilitty=0.1"], "--margin: unknown metric 'utilitty'; did you mean 'utility'"),
        (["--margin", "utility"], "--margin 'utility' is not of the form METRIC=DELTA"),
        (["--metrics", "waste"], "--metrics: metric 'waste' has no margin"),
        (["--junit", "nowhere/x.xml"], "--junit nowhere/x.xml: there is no writable folder"),
        (["--markdown", "."], "--markdown . is not a file"),
        (["--markdown", "baseline.json"], "--baseline and --markdown name the same file"),
        (["--junit", "a.xml", "--markdown", "./a.xml"], "--junit and --markdown name the same file"),
        (["--update", "--junit", "a.xml"], "--update judges nothing, so --junit has no use"),
        (["--update", "--margin", "utility=0.1"], "--update judges nothing, so --margin has no use"),
        (["--inconclusive", "maybe"], "'maybe'"),
    ],
)
def test_a_mistake_in_the_arguments(check: Check, document: dict[str, Any], tmp_path: Path, arguments: list[str], said: str) -> None:
    before = (tmp_path / "baseline.json").read_bytes()
    refused(check(document, *arguments), 2, said)
    assert (tmp_path / "baseline.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "first.json", "results.json"]
