"""`readbench plan`: its tokens are those of the run that is then made, its hours follow from stated rates, and bad input is one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.base.files import sealed, unsealed
from readbench.runs.planning.cost import DEVICES, READING_SHARE, TRAINING_SHARE, Lengths, rates_of
from readbench.students.schedule import TrainingConfig
from readbench.views.rates import measured_rates
from support.commands import command

GRID = ("--suite", "multilingual", "--allocators", "uniform,task-static", "--seeds", "2", "--budget", "9000", "--intervals", "3")
SMALL = ("--set", "num_probes=9", "--set", "num_dev=9")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = command("run", *GRID, *SMALL, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_tokens_are_those_of_the_run(run_dir: Path, readbench: Callable[..., Any]) -> None:
    bill = readbench("plan", *GRID, *SMALL, "--like", run_dir, "--json").json()
    trials = json.loads((run_dir / "results.json").read_text())["trials"]
    for kind in ("trained", "eval", "probe"):
        measured = sum(trial["tokens"][kind] + (trial["tokens"]["dev"] if kind == "probe" else 0) for trial in trials)
        assert bill["tokens"][kind] == pytest.approx(measured, rel=0.2), kind
    assert bill["tokens"]["scored"] == bill["tokens"]["rollout"] == 0
    generated = [trial["tokens"]["generated"] for trial in trials]
    assert max(generated) < bill["tokens"]["generated"] < sum(generated)  # trials of a seed share answers
    assert (bill["num_trials"], bill["price"], bill["teacher"]) == (4, None, None)


def test_a_run_reckons_itself(run_dir: Path, readbench: Callable[..., Any]) -> None:
    bill = readbench("plan", *GRID, *SMALL, "--like", run_dir, "--devices", "2", "--json").json()
    seconds = sum(trial["seconds"]["total"] for trial in json.loads((run_dir / "results.json").read_text())["trials"])
    assert bill["device_hours"]["all"] * 3600 == pytest.approx(seconds, rel=0.35)
    assert bill["wall_seconds"] == pytest.approx(6 + 3600 * bill["device_hours"]["all"] / 2)
    assert bill["rates"] == "measured in run, 4 trials"


def test_hours_follow_from_the_rates() -> None:
    lengths = Lengths(prompt=300, answer=150)
    rates = rates_of("h100", TrainingConfig(), lengths, student=8e9, teacher=70e9).of
    peak = DEVICES["h100"]
    assert rates["trained"] == pytest.approx(TRAINING_SHARE * peak / (6 * 8e9))
    assert rates["probe"] == pytest.approx(READING_SHARE * peak / (2 * 8e9))
    assert rates["scored"] == pytest.approx(READING_SHARE * peak / (2 * 70e9))
    again = rates_of("h100", TrainingConfig(checkpointing=True), lengths, student=8e9, teacher=70e9).of
    assert again["trained"] == pytest.approx(rates["trained"] * 6 / 8)
    written = 37.5e6  # as docs/scale.md reckons: 18.4 hours of writing, 5.9 of reading prompts
    assert written / rates["generated"] / 3600 == pytest.approx(18.43 + 5.90, abs=0.01)
    assert 112.5e6 / rates["trained"] / 3600 == pytest.approx(3.79, abs=0.01)


def test_objectives_on_own_answers_read_and_write_more(readbench: Callable[..., Any]) -> None:
    def tokens(objective: str) -> dict[str, int]:
        given = (*GRID, *SMALL, "--set", "max_new_tokens=16", "--objective", objective, "--hardware", "a100")
        found: dict[str, int] = readbench("plan", *given, "--json").json()["tokens"]
        return found

    sft, divergence, own = tokens("sft"), tokens("forward-kl"), tokens("kdrl")
    assert sft["scored"] == sft["rollout"] == divergence["rollout"] == 0
    assert divergence["scored"] == divergence["trained"] < sft["trained"]
    assert own["generated"] < sft["generated"]
    assert 0 < own["rollout"] < own["scored"]
    for each in (sft, divergence, own):
        charged = each["trained"] + each["scored"] + each["rollout"]
        assert charged <= 4 * 9000  # what is left is generated


def test_models_that_are_not_at_hand_and_a_price(readbench: Callable[..., Any]) -> None:
    given = (*GRID, "--hardware", "h100", "--student-parameters", "8e9", "--teacher-parameters", "70e9", "--hour-price", "2.5")
    bill = readbench("plan", *given, "--json").json()
    assert bill["price"] == pytest.approx(2.5 * bill["device_hours"]["all"])
    assert bill["storage_bytes"] > 4 * 8e9 * 4  # each trial's student
    shown = readbench("plan", *given)
    assert "the student is trained" in shown.out
    assert "assumed 40% of it in training" in shown.out
    assert "4 trials: " in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --hardware NAME, or --like RUN"),
        (("--hardware", "a100", "--like", "x"), "give --hardware NAME, or --like RUN"),
        (("--hardware", "h10"), "did you mean 'h100'?"),
        (("--like", "nowhere"), "nowhere is not a run directory"),
        (("--hardware", "a100", "--student-parameters", "0"), "at least 1"),
        (("--hardware", "a100", "--devices", "0"), "--devices"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], said: str, readbench: Callable[..., Any]) -> None:
    outcome = readbench("plan", *GRID, *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.out == ""


def test_a_run_without_a_finished_trial_measures_nothing(run_dir: Path, tmp_path: Path) -> None:
    document = unsealed(json.loads((run_dir / "results.json").read_text()), run_dir)
    nothing = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    for trial in document["trials"]:
        trial.update(status="failed", failure="it broke", **nothing)
    (tmp_path / "results.json").write_text(json.dumps(sealed(document)))
    with pytest.raises(ConfigError, match="no finished trial to measure by"):
        measured_rates(tmp_path / "results.json")
