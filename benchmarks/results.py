"""The tables of docs/results.md: every allocator on the lab's suites, against w = r, paired by seed.

    python benchmarks/results.py run FOLDER [--suites tool-use,...]     # two hours on two cores; an interrupted one goes on
    python benchmarks/results.py table FOLDER

Three runs a suite: `planned`, ten seeds of the rules that need no pilot trials; `told`, the same seeds of `horizon` with the requirement
that pilots infer, so that it is told neither r nor the items; `bandits`, five seeds of those that start from pilot trials or explore.
No constant of an allocator was chosen on these seeds or on this draw of the pilots.
"""

import argparse
import statistics
import subprocess
from pathlib import Path

from readbench.results.document.reading import load
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


def run(folder: Path, suites: list[str]) -> None:
    for suite in suites:
        for name, arguments in RUNS.items():
            if name == "told" and load_suite(suite).config.requirement == "pilots":
                continue  # its card is wrong, so the first run is told by pilots already
            out = folder / suite / name
            command = (
                ["resume", str(out)] if (out / "run.json").is_file() else ["run", "--suite", suite, *arguments, *DRAW, "--out", str(out)]
            )
            subprocess.run(["readbench", *command], check=True)


def table(folder: Path, suites: list[str]) -> None:
    for suite in suites:
        print(f"\n### {suite}\n\n| allocator | seeds | utility | against w = r | spillover | collateral | waste |")
        print("|---|---|---|---|---|---|---|")
        rows = {}
        for name in RUNS:
            if (folder / suite / name / "results.json").is_file():
                results = load(folder / suite / name)
                suffix = ", told by pilots" if name == "told" else ""
                rows |= {f"`{each}`{suffix}": values for each, values in metric_values(results).items()}
        reference = rows[REFERENCE]["utility"]
        for key, metrics in sorted(rows.items(), key=lambda row: -_mean(row[1]["utility"])):
            utility = metrics["utility"]
            difference = None if key == REFERENCE else paired_difference(utility, reference)
            shown = "" if difference is None or difference.interval is None else _shown(difference.mean, *difference.interval)
            cells = [f"{_mean(metrics[name]):.3f}" for name in ("spillover", "collateral", "waste")]
            sd = statistics.stdev(utility.values())
            print(f"| {key} | {len(utility)} | {_mean(utility):.3f} ± {sd:.3f} | {shown} | {' | '.join(cells)} |")


def _mean(values: dict[int, float]) -> float:
    return statistics.fmean(values.values())


def _shown(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suites", default=",".join(SUITES))
    arguments = parser.parse_args()
    (run if arguments.what == "run" else table)(arguments.folder, arguments.suites.split(","))


if __name__ == "__main__":
    main()
