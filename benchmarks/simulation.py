"""How well fitted students predict mixes that they have not seen, and how long a wide simulation takes.

    python benchmarks/simulation.py FOLDER      # of benchmarks/results.py: FOLDER/SUITE/RUN

A row a suite: the share of the final utility's variance between trials and of the scores' changes that is explained for mixes left out,
and Spearman's correlation of their predicted and measured utilities. Then the seconds for ten allocators, 200 seeds and 20 intervals.
The form of the model was chosen on tool-use, reasoning and coding; the other suites were predicted once.
"""

import argparse
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from readbench.runs.config import resolve
from readbench.runs.executors.pool import num_cores
from readbench.runs.plan import plan
from readbench.runs.studies.simulation import Recording, chains_of, recorded, simulate
from readbench.suites.suite import Suite
from readbench.trials.environments.simulation.fitting import validate

TEN = ("task-static", "uniform", "gap", "learnable", "horizon", "odm", "exp3s", "tscl", "doremi", "ado")
NUM_SEEDS, NUM_INTERVALS = 200, 20


def recording_of(folder: Path) -> tuple[Recording, Suite]:
    """What the finished runs of a suite recorded, with the suite's own number of intervals."""
    runs = [file.parent for file in sorted(folder.glob("*/results.json"))]
    resolved = resolve(folder.name, flags={"allocators": ["task-static"], "seeds": [0]})
    return recorded(runs, plan(resolved).trials[0], resolved.suite), resolved.suite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folders = [each for each in sorted(parser.parse_args().folder.iterdir()) if any(each.glob("*/results.json"))]
    print("| suite | trials | mixes | utility R² | scores R² | Spearman |\n|---|---|---|---|---|---|")
    for folder in folders:
        recording, suite = recording_of(folder)
        with threadpool_limits(1):
            found = validate(recording.courses, chains_of(suite))
        counts = f"{len(recording.courses)} | {len(found.measured)}"
        print(f"| {suite.name} | {counts} | {found.utility:.2f} | {found.scores:.2f} | {found.rank_correlation:.2f} |", flush=True)
    recording, suite = recording_of(next(each for each in folders if each.name == "tool-use"))
    flags = {"allocators": list(TEN), "seeds": list(range(NUM_SEEDS)), "num_intervals": NUM_INTERVALS}
    specs = plan(resolve(suite.name, flags=flags)).trials
    began = time.perf_counter()
    simulate(specs, suite, recording, workers=num_cores())
    print(f"\n{len(TEN)} allocators, {NUM_SEEDS} seeds, {NUM_INTERVALS} intervals: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
