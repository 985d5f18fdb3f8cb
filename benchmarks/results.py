"""The tables of docs/results.md: every allocator on the lab's suites, against w = r, paired by seed.

    python benchmarks/results.py run FOLDER [--suites tool-use,...]     # two hours on two cores; an interrupted one goes on
    python benchmarks/results.py table FOLDER
    python benchmarks/results.py commands > benchmarks/results.sh       # the runs as plain commands

Runs of a suite: `planned`, ten seeds of the rules that need no pilot trials; `told`, the same seeds of `horizon` with the requirement
that pilots infer, so that it is told neither r nor the items; `bandits`, five seeds of those that start from pilot trials or explore;
`peers`, five seeds of the field's rules with r as their prior; `bare`, the same of those that know no task, without it; `plain`, five
seeds of those that learn nothing. No constant of an allocator was chosen on these seeds or on this draw of the pilots. `read` with 20
intervals and 160 probes, as ReAD's paper has them, is in benchmarks/ablation.py.
"""

import argparse
import shlex
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path

from readbench.base.plugins import registry
from readbench.results.document.model import Results
from readbench.results.document.reading import load
from readbench.results.leaderboard import leaderboard
from readbench.results.scores import metric_values
from readbench.results.stats.paired import paired_difference
from readbench.suites.suite import load_suite

SUITES = ("tool-use", "reasoning", "coding", "generalist", "misread", "multilingual")
TEN, FIVE = ",".join(map(str, range(300, 310))), ",".join(map(str, range(300, 305)))
WITHOUT_R = ("odm", "exp3s", "tscl", "dump")  # rules that know no task: r is an addition of ours
PEERS = "odm,exp3s,tscl,dump,dynamix,skill-it,skill-it-pilots,aioli,ado,doremi,tac,ads,paced,gap-kl"
RUNS = {
    "planned": ["--allocators", "task-static,gap,learnable,horizon", "--seeds", TEN],
    "told": ["--allocators", "horizon", "--requirement", "pilots", "--seeds", TEN],
    "bandits": ["--allocators", "read,read-cold,greedy,grid", "--seeds", FIVE],
    "peers": ["--allocators", PEERS, "--seeds", FIVE],
    "bare": [
        *("--allocators", ",".join(WITHOUT_R), "--seeds", FIVE),
        *(part for rule in WITHOUT_R for part in ("--set", f"params.allocator.{rule}.prior=uniform")),
    ],
    "plain": ["--allocators", "uniform,random,per-capability,one-hot", "--seeds", FIVE],
}
DRAW = ["--set", "pilots.draw=31"]
REFERENCE = "`task-static`"


# What the searches of docs/lab.md#suites found, on other seeds: the best fixed mix or schedule of about 110 trials. The control has none.
SEARCHED = {"tool-use": 0.388, "reasoning": 0.383, "coding": 0.380, "generalist": 0.507, "misread": 0.762}


def commands(suite: str) -> dict[str, list[str]]:
    """The arguments of readbench, by run."""
    told = load_suite(suite).config.requirement == "pilots"  # its card is wrong, so the first run is told by pilots already
    return {name: ["run", "--suite", suite, *arguments, *DRAW] for name, arguments in RUNS.items() if name != "told" or not told}


def run(folder: Path, suites: list[str]) -> None:
    for suite in suites:
        for name, command in commands(suite).items():
            out = folder / suite / name
            again = ["resume", str(out)] if (out / "run.json").is_file() else [*command, "--out", str(out)]
            subprocess.run(["readbench", *again], check=True)


def show_commands(suites: list[str]) -> None:
    print("# The runs of docs/results.md; python benchmarks/results.py run FOLDER makes the same, and goes on where it was interrupted.")
    for suite in suites:
        for name, command in commands(suite).items():
            print(shlex.join(["readbench", *command, "--out", f"results/{suite}/{name}"]))


class Row:
    """An allocator in a suite."""

    def __init__(self, results: Results, allocator: str, metrics: Mapping[str, Mapping[int, float]]) -> None:
        self.metrics = metrics
        plugin = registry().plugins("allocator")[allocator].plugin
        piloted = plugin.pilots or results.config.requirement == "pilots"
        pilots = results.pilots.tokens.charged if piloted and results.pilots is not None else 0
        trials = results.profiling.tokens.charged if plugin.profiled and results.profiling is not None else 0
        self.overhead = pilots + trials
        done = [trial for trial in results.complete if trial.allocator == allocator]
        self.milliseconds = 1000 * statistics.fmean(trial.seconds.allocator / len(trial.intervals) for trial in done)

    def mean(self, metric: str) -> float:
        """Over the seeds."""
        return statistics.fmean(self.metrics[metric].values())


SUFFIX = {"told": ", told by pilots", "bare": ", without r"}


def rows_of(folder: Path, suite: str) -> dict[str, Row]:
    """Every allocator of the suite's finished runs; `bare` rules are known without r."""
    rows: dict[str, Row] = {}
    for name in RUNS:
        if (folder / suite / name / "results.json").is_file():
            results = load(folder / suite / name)
            rows |= {f"`{each}`{SUFFIX.get(name, '')}": Row(results, each, found) for each, found in metric_values(results).items()}
    return rows


def table(folder: Path, suites: list[str]) -> None:
    boards = {suite: rows for suite in suites if REFERENCE in (rows := rows_of(folder, suite))}
    for suite, rows in boards.items():
        print(
            f"\n### {suite}\n\n| allocator | seeds | utility | against w = r | regret | spillover | collateral | waste "
            "| pilots' tokens | ms a decision |\n|---|---|---|---|---|---|---|---|---|---|"
        )
        best = max(SEARCHED.get(suite, 0.0), *(row.mean("utility") for row in rows.values()))
        for key, row in sorted(rows.items(), key=lambda item: -item[1].mean("utility")):
            utility = row.metrics["utility"]
            reference = rows[REFERENCE]
            difference = None if row is reference else paired_difference(utility, reference.metrics["utility"])
            shown = "" if difference is None or difference.interval is None else _shown(difference.mean, *difference.interval)
            cells = [f"{row.mean(name):.3f}" for name in ("spillover", "collateral", "waste")]
            spread = f"{row.mean('utility'):.3f} ± {statistics.stdev(utility.values()):.3f}"
            cells = [key, str(len(utility)), spread, shown, f"{best - row.mean('utility'):.3f}", *cells]
            print(f"| {' | '.join(cells)} | {row.overhead:,} | {row.milliseconds:.2f} |")
    if len(boards) > 1:
        ranked(boards)


def ranked(boards: Mapping[str, Mapping[str, Row]]) -> None:
    """The mean ranks over the suites, of the allocators that all of them have."""
    board = leaderboard([{key: row.metrics["utility"] for key, row in rows.items()} for rows in boards.values()])
    print(f"\n### Ranks over {len(boards)} suites\n\n| allocator | mean rank | 95 % |\n|---|---|---|")
    for place in board.places:
        interval = "" if place.interval is None else f"{place.interval[0]:.1f} to {place.interval[1]:.1f}"
        print(f"| {place.name} | {place.rank:.1f} | {interval} |")
    print(f"\n{board.num_blocks} seeds of suites; Friedman p = {board.p_value:.1g}")


def _shown(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "table", "commands"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--suites", default=",".join(SUITES))
    arguments = parser.parse_args()
    suites = arguments.suites.split(",")
    if arguments.what == "commands":
        show_commands(suites)
    else:
        (run if arguments.what == "run" else table)(arguments.folder, suites)


if __name__ == "__main__":
    main()
