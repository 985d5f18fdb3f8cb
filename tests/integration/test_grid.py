"""A run of several objectives and budgets: each place of the grid is the trial that it would be alone."""

import json
from pathlib import Path

import pytest

from readbench.results.document.reading import load
from support.commands import command

SMALL = ("--suite", "multilingual", "--intervals", "3", "--set", "num_probes=4", "--set", "num_dev=4", "--set", "executor=inline")
GRID = ("--allocators", "read,uniform", "--set", "pilots.trials=1", "--seeds", "1")
CELLS = [(objective, budget) for objective in ("sft", "forward-kl") for budget in (4000, 6000)]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], str]:
    """A run of one place that grew to four; the first one's records before it grew, and what was said while it grew."""
    base = tmp_path_factory.mktemp("grid")
    run = ("run", *SMALL, *GRID, "--out", base / "run")
    home = {"XDG_CACHE_HOME": str(base / "cache")}
    first = command(*run, "--objective", "sft", "--budget", "6000", environment=home)
    assert first.returncode == 0, first.stderr
    records = {file.parent.name: file.read_bytes() for file in (base / "run" / "trials").glob("*/trial.sqlite")}
    whole = command(*run, "--objectives", "sft,forward-kl", "--budgets", "4e3,6000", environment=home)
    assert whole.returncode == 0, whole.stderr
    return base / "run", records, whole.stderr + whole.stdout


def test_a_run_grows_by_objectives_and_budgets_and_keeps_what_it_has(grown: tuple[Path, dict[str, bytes], str]) -> None:
    run_dir, records, said = grown
    results = load(run_dir)
    places = [(trial.objective, trial.budget_tokens, trial.allocator) for trial in results.complete]
    assert places == [(*cell, allocator) for cell in CELLS for allocator in ("read", "uniform")]
    assert "8 trials, 2 of them done already, 40,000 tokens" in said
    assert "read/forward-kl/4000 seed 0: finished" in said
    assert {name: (run_dir / "trials" / name / "trial.sqlite").read_bytes() for name in records} == records
    for trial in results.complete:
        assert trial.budget_tokens - 500 < trial.tokens.charged <= trial.budget_tokens
        assert (trial.tokens.scored > 0) == (trial.objective == "forward-kl")


def test_what_an_allocator_starts_from_is_of_its_own_objective_and_budget(grown: tuple[Path, dict[str, bytes], str]) -> None:
    run_dir, _, _ = grown
    groups = json.loads((run_dir / "profiling.json").read_text())["groups"]
    assert sorted((group["objective"], group["budget_tokens"]) for group in groups) == sorted(CELLS)
    spent = {(group["objective"], group["budget_tokens"]): sum(i["charged"] for t in group["trials"] for i in t) for group in groups}
    assert all(budget - 500 < spent[objective, budget] <= budget for objective, budget in CELLS)
    profiling = load(run_dir).profiling
    assert profiling is not None
    assert (profiling.trials, profiling.tokens.charged) == (4, sum(spent.values()))


def test_a_place_of_the_grid_is_the_trial_that_it_is_alone(grown: tuple[Path, dict[str, bytes], str], tmp_path: Path) -> None:
    run_dir, _, _ = grown
    done = command(
        "run",
        *SMALL,
        *GRID,
        "--objective",
        "forward-kl",
        "--budget",
        "4000",
        "--out",
        tmp_path / "alone",
        environment={"XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "read seed 0: finished" in done.stderr  # alone its name says no more than what differs
    there = {trial.id: trial for trial in load(run_dir).complete}
    for trial in load(tmp_path / "alone").complete:
        assert (there[trial.id].metrics, there[trial.id].intervals) == (trial.metrics, trial.intervals)


def test_views_name_the_place(grown: tuple[Path, dict[str, bytes], str], tmp_path: Path) -> None:
    run_dir, _, said = grown
    assert "4,000 or 6,000 tokens a trial" in said
    page = command("report", run_dir, "-o", tmp_path / "page.html")
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "page.html").read_text()
    assert all(f"{allocator}/{objective}/{budget}" in text for allocator in ("read", "uniform") for objective, budget in CELLS)
    explained = command("explain", run_dir, "--allocator", "read", "--objective", "sft", "--budget", "4e3", "--json")
    assert len(json.loads(explained.stdout)["intervals"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare",), "run has 2 objectives: sft, forward-kl; to compare by allocator, name one with --objective"),
        (("compare", "--by", "objective", "--allocator", "read"), "run has 2 budgets: 4000, 6000; to compare by objective, name one"),
        (("compare", "--by", "budget", "--objective", "sft"), "the runs have 2 allocators: read, uniform"),
        (("compare", "--objective", "stf"), "run has no objective 'stf'; did you mean 'sft'?"),
        (("explain", "--allocator", "read"), "4 trials of read have seed 0; name one with --objective and --budget"),
        (("explain", "--allocator", "read", "--budget", "5000"), "the run has no budget 5000; it has 4000, 6000"),
    ],
)
def test_what_is_not_one_place_is_refused(grown: tuple[Path, dict[str, bytes], str], arguments: tuple[str, ...], said: str) -> None:
    name, *more = arguments
    done = command(name, grown[0], *more)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_one_seed_of_each_objective_shows_no_spread(grown: tuple[Path, dict[str, bytes], str]) -> None:
    refused = command("compare", grown[0], "--by", "objective", "--allocator", "read", "--budget", "4000")
    assert (refused.returncode, "a comparison needs 3: run with more --seeds" in refused.stderr) == (4, True)  # one seed shows no spread


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("run", ("--requirement", "pilots"), "pilots of each objective may infer another requirement, and a run has one"),
        ("pilot", (), "pilots are of one objective; name one of sft, forward-kl"),
        ("transfer", (), "a transfer matrix is of one objective; name one of sft, forward-kl"),
        ("simulate", (), "a simulation is of one objective and one budget; name one of each"),
    ],
)
def test_what_is_of_one_objective_is_not_asked_of_two(name: str, arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = command(name, "--suite", "multilingual", "--set", "objectives=sft,forward-kl", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_parts_of_a_grid_are_runs_of_their_own_and_together_the_whole(tmp_path: Path) -> None:
    grid = ("--suite", "multilingual", "--allocators", "uniform,task-static", "--seeds", "3", "--budget", "6000", "--intervals", "3")
    small = ("--set", "num_probes=8", "--set", "num_dev=8")
    whole = command("run", *grid, *small, "--out", tmp_path / "whole", "--json")
    assert whole.returncode == 0, whole.stderr
    for part in (1, 2):
        done = command("run", *grid, *small, "--out", tmp_path / f"part-{part}", "--only-trial", f"{part}/2")
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / f"part-{part}" / "trials").iterdir())) == 3
    joined = command("results", tmp_path / "part-1", tmp_path / "part-2", "--json")
    assert joined.returncode == 0, joined.stderr

    def metrics(text: str) -> dict[tuple[str, int], object]:
        return {(trial["allocator"], trial["seed"]): trial["metrics"] for trial in json.loads(text)["trials"]}

    assert metrics(joined.stdout) == metrics(whole.stdout)
    assert len(metrics(joined.stdout)) == 6
    again = command("run", *grid, *small, "--out", tmp_path / "part-1", "--only-trial", "2/2")
    assert again.returncode == 2
    assert "part-1 holds 1/2 of a run's trials, and 2/2 are asked for; choose another --out for each part" in again.stderr
    assert command("resume", tmp_path / "part-1").returncode == 0


@pytest.mark.parametrize(
    ("part", "said"), [("3/2", "give i/n"), ("0/2", "give i/n"), ("2", "only_trial"), ("9/9", "part 9/9 of 3 trials is empty")]
)
def test_a_part_that_is_none(part: str, said: str, tmp_path: Path) -> None:
    done = command(
        "run", "--suite", "reasoning", "--allocators", "uniform", "--seeds", "3", "--only-trial", part, "--out", tmp_path / "run"
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
