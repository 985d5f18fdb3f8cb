"""``readbench simulate``: what it says, that it is deterministic and labelled, and what it refuses."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from readbench.base.errors import ConfigError
from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.runs.studies.simulation import Recording, chains_of, recorded, runs_of, simulate
from readbench.students.schedule import learning_rates
from readbench.suites.suite import load_suite
from readbench.trials.briefing import Briefing
from readbench.trials.spec import TrialSpec
from readbench.views.cli.main import main
from readbench.views.console.studies.simulation import show_simulation
from support import courses as made

SUITE = load_suite("tool-use")
NAMES = ("task-static", "uniform", "gap", "one-hot")


def specs(names: Sequence[str] = NAMES, seeds: int = 6, **flags: object) -> tuple[TrialSpec, ...]:
    return plan(resolve("tool-use", flags={"allocators": list(names), "seeds": list(range(seeds)), **flags})).trials


@pytest.fixture(scope="module")
def recording() -> Recording:
    chains = chains_of(SUITE)
    rates = learning_rates(specs(seeds=1)[0].training, 12, 1)
    student = made.known_student(8, chains)
    calm = replace(student, walk=student.walk / 2, value_sd=0.003)
    courses = made.courses(calm, made.problem(8, 12, rates), mixes=24)
    return Recording(courses=courses, briefing=Briefing(requirement=SUITE.requirement, teacher_profile=np.full(8, 0.95)))


def test_a_simulation_ranks_compares_and_says_how_far_to_believe_it(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    found = simulate(specs(), SUITE, recording, workers=1)
    show_simulation(found, reference="task-static", as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["simulated"] is True
    assert shown["recorded_trials"] == 72
    assert shown["r2"]["utility"] > 0.8
    assert [row["allocator"] for row in shown["allocators"]] == sorted(
        NAMES, key=lambda name: -np.mean([t.utility for t in found.trials[name].values()])
    )
    static = {row["allocator"]: row for row in shown["allocators"]}
    assert static["one-hot"]["high"] < 0  # one step of three decides nothing
    show_simulation(found, reference="task-static", as_json=False)
    text = " ".join(capsys.readouterr().out.split())
    assert "simulated, not measured: tool-use, 6 seeds" in text
    assert "Intervals hold the model's noise, not its error" in text


def test_the_number_of_processes_changes_no_figure(recording: Recording) -> None:
    one, two = (simulate(specs(seeds=30, num_intervals=20), SUITE, recording, workers=workers) for workers in (1, 2))
    assert one.trials == two.trials
    assert one.validity == two.validity


def test_a_student_that_predicts_nothing_is_refused(recording: Recording) -> None:
    rng = np.random.default_rng(0)
    scattered = tuple(replace(course, utility=float(rng.uniform())) for course in recording.courses)
    with pytest.raises(ConfigError, match=r"explains -?[0-9.]+ of the utility's variance on mixes that it has not seen, below 0\.7"):
        simulate(specs(), SUITE, replace(recording, courses=scattered), workers=1)


@pytest.mark.parametrize(("name", "what"), [("horizon", "pilots"), ("read", "pilot trials")])
def test_an_allocator_that_asks_for_what_was_not_recorded_is_refused(recording: Recording, name: str, what: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{name} asks for {what}, and the recorded runs made none; add a run of {name}, or leave it out"
    ):
        simulate(specs([name]), SUITE, recording, workers=1)


def test_an_allocator_that_fails_is_named(recording: Recording) -> None:
    with pytest.raises(ConfigError, match=r"doremi seed 0: .*the teacher's loss on the probes"):
        simulate(specs(["doremi"]), SUITE, recording, workers=1)


SMALL = [
    *("run", "--suite", "tool-use", "--allocators", "uniform,task-static", "--budget", "6000", "--intervals", "3"),
    *("--set", "num_probes=4", "--set", "num_dev=10", "--set", "executor=inline"),
]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded") / "runs" / "small"
    assert main([*SMALL, "--seeds", "2", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suite", "tool-use", "--set", "budget_tokens=6000"], "4 trials of 2 allocators are too few to fit a student to"),
        (["--suite", "tool-use"], "was recorded with budget tokens 6000, not 120000"),
        (["--suite", "reasoning", "--set", "budget_tokens=6000"], "was recorded with suite tool-use, not reasoning"),
        (["--suite", "tool-use", "--set", "budget_tokens=6000", "--set", "training.clip_norm=2"], "was recorded with another training"),
    ],
)
def test_runs_that_do_not_fit_are_refused_in_one_line(
    run_dir: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *arguments, "--allocators", "uniform,task-static", "--from", str(run_dir)]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert said in errors[0]


def test_without_from_the_runs_of_the_suite_are_taken(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run_dir.parent.parent)
    assert runs_of(Path("runs"), specs(seeds=1)[0]) == [Path("runs/small")]
    assert main(["simulate", "--suite", "coding"]) == 2
    assert "no run of suite coding in runs; readbench run --suite coding, or give --from RUN" in capsys.readouterr().err


def test_the_records_of_a_run_become_arrays(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.runs.studies.simulation.FEWEST_TRIALS", 2)
    monkeypatch.setattr("readbench.runs.studies.simulation.FEWEST_MIXES", 1)
    wanted = specs(["uniform"], seeds=1, budget_tokens=6000, num_intervals=3)[0]
    found = recorded([run_dir, run_dir], wanted, SUITE)  # given twice, it counts once
    assert [course.mix for course in found.courses] == ["uniform() by card"] * 2 + ["task-static() by card"] * 2
    assert found.courses[0].scores.shape == (4, 8)
    assert found.courses[2].shares.sum(axis=1) == pytest.approx(1.0)
    assert np.isnan(found.courses[2].example_tokens).sum() == 5  # three of eight are taught
    assert found.briefing.teacher_loss is not None
