"""Pilots through the command line: made once, kept in the run and in the cache, resumed after a stop, charged on request."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.results.document.reading import load
from readbench.results.stats import difference_of
from readbench.runs.studies.test_set import write_test_set
from support.commands import Done, command
from support.plugins import install
from support.suites import suite_text, write_suite

MORE = """composition: [{steps: [general_knowledge, long_context]}]
defaults:
  {teacher: lab/teacher, student: lab/student, budget_tokens: 12000, num_intervals: 4, dev_every: 4, num_probes: 9, num_dev: 160}
"""
INLINE = ("--set", "executor=inline")  # what is tested is not the pool, and processes take seconds to start
SETS = (*INLINE, "--set", "pilots.num=6", "--set", "pilots.tokens=2000", "--set", "pilots.num_probes=30", "--set", "max_new_tokens=32")
NAMES = ("general_knowledge", "steerability", "tool_use", "long_context")
ASKING = """
from readbench.api import Loss, allocator, objective

@objective("unbounded")
class Unbounded:
    '''A loss that is not finite.'''
    needs = frozenset()
    def loss(self, batch):
        tokens = batch.logits.sum(1) * float("inf")
        return Loss(value=tokens.sum(), tokens=tokens.detach())

@allocator("asking", pilots=True)
class Asking:
    '''Follows the mix of the pilot that gained most.'''
    def __init__(self, problem, seed):
        self.best = max(problem.pilots, key=lambda pilot: pilot.soft_utility_after - pilot.soft_utility_before, default=None)
        self.requirement = problem.requirement
    def propose(self, observation): return self.requirement if self.best is None else self.best.allocation / self.best.allocation.sum()
    def update(self, feedback): ...
    def state(self): return b""
    def restore(self, state):
        if state: raise ValueError("not a state of mine")
"""


class Commands:
    """Runs the command line with a cache folder of its own."""

    def __init__(self, suite: Path, cache: Path, site: Path) -> None:
        self.suite = suite
        self.cache = cache
        self.site = site

    def arguments(self, name: str, *more: str) -> list[str]:
        return [*name.split(), "--suite", str(self.suite), *SETS, *more]

    def __call__(self, name: str, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        done = self.done(self.arguments(name, *arguments), env=env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout + done.stderr

    def done(self, arguments: list[str], *, env: Mapping[str, str] | None = None) -> Done:
        return command(*arguments, environment={"XDG_CACHE_HOME": str(self.cache), **(env or {})}, site=self.site)


@pytest.fixture(scope="module")
def readbench(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    base = tmp_path_factory.mktemp("pilots")
    text = suite_text(name="piloted", more=MORE, **{name: f"source: lab.{name}" for name in NAMES})
    folder = write_suite(base / "suite", text, test=[])
    write_test_set(folder, 400)
    return Commands(folder, base / "cache", install(base / "site", "asking", ASKING))


@pytest.fixture(scope="module")
def run_dir(readbench: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "inferred"
    flags = ("--requirement", "pilots", "--allocators", "task-static,asking", "--seeds", "1", "--out", str(folder))
    said = readbench("run", *flags)
    assert "6 pilots are done" in said
    assert "requirement, by the pilots: " in said
    assert "probe / dev / eval / pilots" in said
    return folder


def test_the_requirement_is_the_pilots_and_stands_beside_the_card_s(run_dir: Path) -> None:
    results = load(run_dir)
    assert results.config.requirement == "pilots"
    assert results.suite.card == {"general_knowledge": 0.5, "steerability": 0.0, "tool_use": 0.0, "long_context": 0.5}
    assert results.suite.requirement != results.suite.card
    assert sum(results.suite.requirement.values()) == pytest.approx(1)
    (trial,) = (trial for trial in results.complete if trial.allocator == "task-static")
    assert trial.intervals[0].requested == pytest.approx(results.suite.requirement)  # what the allocator was told


def test_every_pilot_is_in_the_results_with_its_tokens(run_dir: Path) -> None:
    results = load(run_dir)
    assert results.pilots is not None
    assert len(results.pilots.pilots) == 6
    charged = sum(pilot.tokens for pilot in results.pilots.pilots)
    assert charged == results.pilots.tokens.charged <= 6 * 2000
    for pilot in results.pilots.pilots:
        assert sum(pilot.allocation.values()) == pytest.approx(1)
        assert pilot.profile.before == results.pilots.pilots[0].profile.before
        assert (pilot.utility.before * 160) % 1 == pytest.approx(0, abs=1e-9)
    assert {trial.tokens.pilot for trial in results.complete} == {0}  # they are outside the budget


def test_an_allocator_that_asks_for_pilots_finds_them(run_dir: Path) -> None:
    results = load(run_dir)
    assert results.pilots is not None
    best = max(results.pilots.pilots, key=lambda pilot: pilot.utility.soft_after - pilot.utility.soft_before)
    (trial,) = (trial for trial in results.complete if trial.allocator == "asking")
    assert trial.intervals[0].requested == pytest.approx(best.allocation)


def test_the_students_are_scored_again_though_the_requirement_was_not_the_suite_s(run_dir: Path, readbench: Commands) -> None:
    done = readbench.done(["evaluate", str(run_dir), "-o", str(run_dir.parent / "again.json")])
    assert done.returncode == 0, done.stderr
    again = load(run_dir.parent / "again.json")
    assert [trial.metrics.utility for trial in again.complete] == [trial.metrics.utility for trial in load(run_dir).complete]


def test_show_prints_both_requirements_as_json(readbench: Commands, run_dir: Path) -> None:
    document = json.loads(readbench.done(readbench.arguments("requirement show", "--json")).stdout)
    suite = load(run_dir).suite
    assert document == {"card": suite.card, "pilots": pytest.approx(suite.requirement), "identifier": None}


def test_a_damaged_cache_is_said_and_not_used(readbench: Commands, run_dir: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(readbench.cache, cache)
    shutil.rmtree(cache / "readbench" / "work", ignore_errors=True)
    for file in (cache / "readbench" / "pilots").iterdir():
        file.write_text(file.read_text().replace('"tokens"', '"token"', 1))
    said = readbench("pilot", "--out", str(tmp_path / "run"), env={"XDG_CACHE_HOME": str(cache)})
    assert said.count("the cached pilots cannot be read, so they are made again: ") == 1
    assert (tmp_path / "run" / "pilots").exists()
    found = [json.loads((folder / "pilots.json").read_text())["groups"] for folder in (tmp_path / "run", run_dir)]
    assert found[0] == found[1]


def test_a_cache_that_cannot_be_written_costs_one_line(readbench: Commands, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    said = readbench("pilot", "--out", str(tmp_path / "run"), "--num", "2", env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert said.count("the pilots are not kept for other runs: ") == 1


def test_pilots_that_were_stopped_are_resumed_to_the_same(readbench: Commands, run_dir: Path, tmp_path: Path) -> None:
    whole = [sys.executable, "-m", "readbench", *readbench.arguments("pilot", "--out", str(tmp_path / "run"))]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(readbench.site)}
    process = subprocess.Popen(whole, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run" / "pilots").glob("*/student")):  # the first pilot has ended
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: readbench pilot" in said
    readbench("pilot", "--out", str(tmp_path / "run"), env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    found = [json.loads((folder / "pilots.json").read_text())["groups"] for folder in (tmp_path / "run", run_dir)]
    assert found[0] == found[1]


def test_a_pilot_that_fails_stops_the_run_and_the_others_are_kept(readbench: Commands, tmp_path: Path) -> None:
    flags = ("--requirement", "pilots", "--allocators", "uniform", "--seeds", "1", "--objective", "unbounded")
    line = readbench("run", *flags, "--out", str(tmp_path / "run"), code=2)
    assert "training 0 failed: " in line
    assert "mend it, then repeat the command: the others are kept" in line
    assert len(list((tmp_path / "run" / "pilots").glob("*/trial.sqlite"))) == 6


def test_charged_pilots_come_out_of_each_trial_s_budget(readbench: Commands, run_dir: Path, tmp_path: Path) -> None:
    flags = ("--requirement", "pilots", "--charge-pilots", "--budget", "20000", "--allocators", "uniform", "--seeds", "1")
    readbench("run", *flags, "--out", str(tmp_path / "run"))
    results = load(tmp_path / "run")
    assert results.pilots is not None
    paid = sum(pilot.tokens for pilot in results.pilots.pilots)
    (trial,) = results.complete
    assert trial.tokens.pilot == paid
    assert paid + 6000 < trial.tokens.charged <= 20000
    curve = [trial.dev_utility_before, *(each.dev_utility for each in trial.intervals if each.dev_utility is not None)]
    assert trial.metrics.auc == pytest.approx(held(paid, trial, curve) / 20000)


def held(paid: int, trial: Any, curve: list[float]) -> float:
    """The area by hand: flat until the pilots are paid, one trapezoid over both intervals, flat to the end."""
    spent = sum(each.tokens.charged for each in trial.intervals)
    return float(np.sum([paid * curve[0], spent * (curve[0] + curve[1]) / 2, (20000 - paid - spent) * curve[1]]))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--requirement", "pilots", "--charge-pilots"), "the pilots cost 12000 tokens, the budget that is to pay for them is 12000"),
        (("--charge-pilots",), "pilots.charged is set, but nothing asks for pilots"),
        (("--requirement", "pilots", "--set", "pilots.tokens=20"), "pilots of 20 tokens are too small"),
        (("--requirement", "crystal-ball"), "requirement"),
    ],
)
def test_what_cannot_work_costs_one_line(readbench: Commands, tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    line = readbench("run", "--allocators", "uniform", "--seeds", "1", *flags, "--out", str(tmp_path / "run"), code=2)
    assert said in line
    assert len(line.strip().splitlines()) == 1


def test_a_run_makes_none_until_an_allocator_asks_and_then_finds_them_in_the_cache(
    readbench: Commands, run_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "card"
    readbench("run", "--allocators", "uniform", "--seeds", "1", "--out", str(folder))
    before = load(folder)
    assert (before.pilots, before.suite.requirement) == (None, before.suite.card)
    readbench("run", "--allocators", "uniform,asking", "--seeds", "1", "--out", str(folder))
    grown = load(folder)
    assert grown.pilots == load(run_dir).pilots
    assert not (folder / "pilots").exists()  # none was trained
    assert grown.trials[0] == before.trials[0]  # uniform depends on no pilots: it is the same trial, and was not run again
    assert grown.trials[1].intervals[0].requested != grown.trials[0].intervals[0].requested

    done = readbench.done(["compare", str(run_dir), str(folder)])
    assert done.returncode == 2
    assert "requirement" in done.stderr


def test_a_dry_run_says_what_the_pilots_may_cost(readbench: Commands) -> None:
    said = readbench("run", "--requirement", "pilots", "--allocators", "uniform", "--seeds", "1", "--dry-run", "--set", "pilots.num=3")
    assert "before them 3 pilots, at most 6,000 tokens, unless the cache has them" in said
    assert "warning: pilots.num is 3: so few pilots cannot tell 4 capabilities apart" in said


def test_a_cache_that_is_needed_and_cannot_be_made_names_the_variable(readbench: Commands, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    line = readbench("requirement show", env={"XDG_CACHE_HOME": str(tmp_path / "cache")}, code=5)
    assert "set XDG_CACHE_HOME to a folder that can be written" in line


def test_the_transfer_matrix_is_of_the_changes_of_trainings_on_one_capability_each(readbench: Commands, tmp_path: Path) -> None:
    settings = ("--budgets", "3000", "--seeds", "3", "--set", "num_intervals=3")
    matrix = json.loads(readbench.done(readbench.arguments("transfer", *settings, "--json", "-o", str(tmp_path / "matrix.svg"))).stdout)
    assert (matrix["capabilities"], matrix["budgets"], matrix["seeds"]) == (list(NAMES), [3000], [0, 1, 2])
    change, low, high = (np.array(matrix[name], dtype=float) for name in ("change", "low", "high"))
    assert change.shape == low.shape == (1, 4, 4)
    assert (low <= change).all()
    assert (change <= high).all()
    assert "<svg" in (tmp_path / "matrix.svg").read_text()

    flags = ("--budget", "3000", "--intervals", "3", "--allocators", "fixed", "--seeds", "3", "--set", "dev_every=3")
    readbench("run", *flags, "--set", "params.allocator.fixed.mix=long_context:1", "--out", str(tmp_path / "run"))
    moved = [[trial.profile.after[name] - trial.profile.before[name] for name in NAMES] for trial in load(tmp_path / "run").complete]
    places = NAMES.index("long_context")
    bounds = [difference_of([row[c] for row in moved]) for c in range(len(NAMES))]
    intervals = [each.interval for each in bounds if each is not None]
    assert np.array(intervals) == pytest.approx(np.stack([low[0, places], high[0, places]], axis=1))
    assert change[0, places].tolist() == pytest.approx(np.mean(moved, axis=0).tolist(), abs=1e-12)  # a row is trials on that alone
    assert change[0, places, places] == change[0, :, places].max() > 0  # what is trained gains most
