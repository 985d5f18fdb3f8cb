"""Do pilots find what a joint task needs, and what do they cost?

    python benchmarks/pilots.py reasoning tool-use coding generalist misread --draws 5

Makes each suite's pilots with `readbench pilot`, as often as there are draws, each with other mixes and prompts and an empty cache. The
truth is the share of steps in the suite's composition. Recall is the share of the k needed capabilities that are among the k with the
largest inferred weights; chance is k over the number of capabilities. Covered is the share of needed capabilities whose 95 % interval
reaches at least half of their true share. Seconds are those of the whole command, with two workers on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from readbench.suites.suite import load_suite
from readbench.trials.briefing import pilot_from
from readbench.trials.requirement.by_pilots import infer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="+")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    arguments = parser.parse_args()
    sets = [part for each in arguments.sets for part in ("--set", each)]
    print(
        "| suite | needed | chance | recall | mean weight of the needed | covered | tokens | seconds |\n|---|---|---|---|---|---|---|---|"
    )
    for name in arguments.suites:
        suite = load_suite(name)
        if suite.composition is None:
            parser.error(f"{name} is not a joint task: there is nothing to find")
        truth = suite.composition.step_shares(len(suite.capabilities))
        needed = np.flatnonzero(truth)
        rows = []
        for draw in range(arguments.draws):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-m", "readbench", "pilot", "--suite", name, "--json", "--out", str(Path(folder) / "run")]
                began = time.perf_counter()
                done = subprocess.run(
                    [*command, "--set", f"pilots.draw={draw}", *sets],
                    env={**os.environ, "XDG_CACHE_HOME": folder},
                    stdout=subprocess.PIPE,
                    check=True,
                )
                seconds = time.perf_counter() - began
            found = json.loads(done.stdout)
            inferred = infer([pilot_from(each) for each in found["pilots"]], joint=True)
            top = np.argsort(-inferred.weights, kind="stable")[: len(needed)]
            covered = inferred.high[needed] >= truth[needed] / 2
            charged = found["tokens"]["generated"] + found["tokens"]["trained"]
            rows.append((len({*top} & {*needed}) / len(needed), inferred.weights[needed].sum(), covered.mean(), charged, seconds))
            print(f"{name} draw {draw}: {inferred.weights.round(2).tolist()}, {seconds:.1f} s", file=sys.stderr, flush=True)
        recall, weight, covered_share, charged, seconds = np.mean(rows, axis=0)
        chance = len(needed) / len(truth)
        line = f"{recall:.2f} | {weight:.2f} | {covered_share:.2f} | {charged:,.0f} | {seconds:.1f}"
        print(f"| {name} | {len(needed)} | {chance:.2f} | {line} |", flush=True)


if __name__ == "__main__":
    main()
