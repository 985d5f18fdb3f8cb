"""What each part of ReAD is worth: one setting changed at a time, against `read` as it is.

    python benchmarks/ablation.py run FOLDER [--suites reasoning,tool-use]     # about ten minutes a suite on two cores
    python benchmarks/ablation.py table FOLDER

Pilots: `read-cold` starts without them and warms up; 1 and 9 pilot trials instead of 3. Intervals and probes: 20 and 160, as in the
paper, alone and together (they cost wall time and measuring, no tokens of the budget). Exploration: κ = 0 and κ = 2. Requirement: by
pilots instead of the card. Spillover: β = 0. Fresh seeds, all variants alike; no constant was chosen on them.
"""

import argparse
import shutil
import statistics
import subprocess
from pathlib import Path

import yaml

from readbench.results.document.reading import load
from readbench.results.scores import metric_values
from readbench.results.stats.paired import paired_difference
from readbench.suites.suite import load_suite

SEEDS = "500,501,502,503,504"
SHARED = ["--seeds", SEEDS, "--set", "pilots.draw=51"]
READ = ["--allocators", "read"]
VARIANTS: dict[str, list[str]] = {
    "as it is": ["--allocators", "read,task-static"],
    "no pilots (`read-cold`)": ["--allocators", "read-cold"],
    "1 pilot trial": [*READ, "--set", "pilots.trials=1"],
    "9 pilot trials": [*READ, "--set", "pilots.trials=9"],
    "20 intervals": [*READ, "--intervals", "20"],
    "160 probes": [*READ, "--set", "num_probes=160"],
    "20 intervals, 160 probes": [*READ, "--intervals", "20", "--set", "num_probes=160"],
    "κ = 0 (`greedy`)": ["--allocators", "greedy"],
    "κ = 2": [*READ, "--set", "params.allocator.read.kappa=2.0"],
    "requirement by pilots": [*READ, "--requirement", "pilots"],
    "β = 0": READ,
}
WITHOUT_SPILLOVER = "β = 0"


def place(base: Path, suite: str, variant: str) -> Path:
    return base / suite / f"{list(VARIANTS).index(variant):02}"


def without_spillover(base: Path, suite: str) -> Path:
    """The suite with β = 0 in its reward."""
    folder = base / "without-spillover" / suite
    if not folder.is_dir():
        shutil.copytree(load_suite(suite).folder, folder)
        described = yaml.safe_load((folder / "suite.yaml").read_text())
        described["reward"] = {**described.get("reward", {}), "beta": 0.0}
        (folder / "suite.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return folder


def run(base: Path, suites: list[str]) -> None:
    for suite in suites:
        for variant, arguments in VARIANTS.items():
            out = place(base, suite, variant)
            asked = str(without_spillover(base, suite).resolve()) if variant == WITHOUT_SPILLOVER else suite
            fresh = ["run", "--suite", asked, *arguments, *SHARED, "--out", str(out)]
            subprocess.run(["readbench", *(["resume", str(out)] if (out / "run.json").is_file() else fresh)], check=True)


def table(base: Path, suites: list[str]) -> None:
    for suite in suites:
        print(f"\n### {suite}\n\n| `read` | utility | against it as it is |\n|---|---|---|")
        first = metric_values(load(place(base, suite, "as it is")))
        shown = {"w = r (`task-static`)": first["task-static"]["utility"]}
        for variant in VARIANTS:
            if (place(base, suite, variant) / "results.json").is_file():
                values = metric_values(load(place(base, suite, variant)))
                shown[variant] = next(found["utility"] for name, found in values.items() if name != "task-static")
        for variant, utility in shown.items():
            difference = None if variant == "as it is" else paired_difference(utility, shown["as it is"])
            against = ""
            if difference is not None and difference.interval is not None:
                against = f"{difference.mean:+.3f} ({difference.interval[0]:+.3f} to {difference.interval[1]:+.3f})"
            print(f"| {variant} | {statistics.fmean(utility.values()):.3f} ± {statistics.stdev(utility.values()):.3f} | {against} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suites", default="reasoning,tool-use")
    arguments = parser.parse_args()
    (run if arguments.what == "run" else table)(arguments.folder, arguments.suites.split(","))


if __name__ == "__main__":
    main()
