"""Pilot trials through the command line: made once for an allocator that asks, told to it, kept, and never charged."""

import json
from pathlib import Path

import pytest

from readbench.results.document.reading import load
from readbench.trials.record.run_files import PROFILING
from support.commands import Done, command
from support.plugins import install
from support.suites import suite_text, write_suite

MORE = """
defaults:
  {teacher: lab/teacher, student: lab/student, budget_tokens: 4000, num_intervals: 4, max_new_tokens: 16, num_probes: 4, num_dev: 4}
"""
ASKING = """
from readbench.api import allocator

@allocator("following", profiled=True)
class Following:
    '''Plays the mix of the interval that was rewarded most in the pilot trials.'''
    def __init__(self, problem, seed):
        told = [feedback for trial in problem.profiling for feedback in trial]
        best = max(told, key=lambda feedback: feedback.reward, default=None)
        self.mix = problem.requirement if best is None else best.allocation / best.allocation.sum()
    def propose(self, observation): return self.mix
    def update(self, feedback): ...
    def state(self): return b""
    def restore(self, state):
        if state: raise ValueError("not a state of mine")
"""


class Commands:
    def __init__(self, base: Path) -> None:
        text = suite_text(name="profiled", more=MORE, math="source: lab.math, weight: 3", tool_use="source: lab.tool_use, weight: 1")
        self.suite = write_suite(base / "suite", text, test=[{"prompt": "1+1=?", "answer": "2"}])
        self._site = install(base / "site", "following", ASKING)
        self.cache = base / "cache"

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = self.done("run", "--suite", str(self.suite), "--seeds", "1", "--set", "executor=inline", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def done(self, *arguments: str) -> Done:
        return command(*arguments, environment={"XDG_CACHE_HOME": str(self.cache)}, site=self._site)


@pytest.fixture(scope="module")
def readbench(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("profiling"))


@pytest.fixture(scope="module")
def run_dir(readbench: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "asked"
    said = readbench("--allocators", "read,following,read-cold", "--set", "pilots.trials=2", "--out", str(folder))
    assert "2 pilot trials are done" in said
    assert "probe / dev / eval / pilots" in said
    return folder


def test_they_are_whole_trials_outside_the_budget_with_a_new_mix_in_each_interval(run_dir: Path) -> None:
    results = load(run_dir)
    assert results.profiling is not None
    assert results.pilots is None
    trials = json.loads((run_dir / PROFILING).read_text())["groups"][0]["trials"]
    assert [len(trial) for trial in trials] == [4, 4] == [4] * results.profiling.trials
    assert results.profiling.tokens.charged == sum(interval["charged"] for trial in trials for interval in trial) <= 2 * 4000
    mixes = {tuple(interval["requested"]) for trial in trials for interval in trial}
    assert len(mixes) > 4
    assert {trial.tokens.pilot for trial in results.complete} == {0}


def test_an_allocator_that_asks_is_told_every_interval(run_dir: Path) -> None:
    trials = json.loads((run_dir / PROFILING).read_text())["groups"][0]["trials"]
    best = max((interval for trial in trials for interval in trial), key=lambda interval: interval["reward"])
    by_name = {trial.allocator: trial for trial in load(run_dir).complete}
    assert list(by_name["following"].intervals[0].requested.values()) == pytest.approx(best["allocation"])
    card = list(load(run_dir).suite.requirement.values())
    assert list(by_name["read-cold"].intervals[0].requested.values()) == pytest.approx(card)  # a warm-up, as it is told nothing


def test_another_run_finds_them_in_the_cache_and_gets_the_same_trials(readbench: Commands, run_dir: Path, tmp_path: Path) -> None:
    before = sorted((readbench.cache / "readbench" / "pilots").iterdir())
    readbench("--allocators", "read", "--set", "pilots.trials=2", "--out", str(tmp_path / "again"))
    assert sorted((readbench.cache / "readbench" / "pilots").iterdir()) == before
    assert not (tmp_path / "again" / "pilots").exists()  # none was made
    (again,) = load(tmp_path / "again").complete
    (first,) = (trial for trial in load(run_dir).complete if trial.allocator == "read")
    assert (again.id, again.intervals, again.metrics) == (first.id, first.intervals, first.metrics)


def explained(readbench: Commands, run_dir: Path, *arguments: str, code: int = 0) -> str:
    done = readbench.done("explain", str(run_dir), *arguments)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def test_a_decision_is_explained_by_its_candidates(readbench: Commands, run_dir: Path) -> None:
    intervals = json.loads(explained(readbench, run_dir, "--allocator", "read", "--json"))["intervals"]
    assert [interval["interval"] for interval in intervals] == [0, 1, 2, 3]
    for interval in intervals:
        said = interval["explained"]
        assert len(said["candidates"]) == len(said["predicted"]) == len(said["sd"]) > 5
        assert said["candidates"][said["chosen"]] == pytest.approx(interval["requested"])
    shown = explained(readbench, run_dir, "--allocator", "read")
    assert f"{len(intervals[0]['explained']['predicted'])} candidates" in shown


def test_what_does_not_explain_itself_is_shown_all_the_same(readbench: Commands, run_dir: Path) -> None:
    shown = explained(readbench, run_dir, "--allocator", "following", "--seed", "0")
    assert "math" in shown
    assert "following does not explain its decisions" in shown
    cold = json.loads(explained(readbench, run_dir, "--allocator", "read-cold", "--json"))["intervals"]
    assert [interval["explained"] is None for interval in cold] == [True, False, False, False]  # the warm-up decides nothing


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--allocator", "reed"), "the run has no allocator 'reed'; did you mean 'read'?"),
        (("--allocator", "read", "--seed", "7"), "the run has no seed 7 of read; it has 0"),
    ],
)
def test_a_trial_that_is_not_there_is_named(readbench: Commands, run_dir: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in explained(readbench, run_dir, *arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--allocators", "read", "--set", "pilots.trials=0"), "read starts from pilot trials, and pilots.trials is 0; set it to 3"),
        (("--allocators", "grid", "--charge-pilots"), "grid starts from 3 pilot trials of 4000 tokens, which a trial's budget cannot pay"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_made(
    readbench: Commands, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in readbench(*arguments, "--out", str(tmp_path / "none"), code=2)
    assert not (tmp_path / "none").exists()
