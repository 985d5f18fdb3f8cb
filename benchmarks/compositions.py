"""Do the allocators' gains hold on joint tasks that nobody chose? Twelve random compositions, five seeds each.

    python benchmarks/compositions.py run FOLDER        # about half an hour on two cores; an interrupted one goes on
    python benchmarks/compositions.py table FOLDER

The compositions were drawn by SEED, which was fixed before any of them was looked at: one to three chains of two or three steps among two
to four of the lab's capabilities, as benchmarks/identifier.py draws them. Everything else is the suite tool-use's: models, budget,
intervals. The seeds and the draw of the pilots were used for nothing else. A task counts once, however many seeds it has: the last line
is Student's interval over the tasks.
"""

import argparse
import random
import shutil
import statistics
import subprocess
from collections import Counter
from pathlib import Path

import yaml
from identifier import composed

from readbench.results.document.reading import load
from readbench.results.scores import metric_values
from readbench.results.stats.paired import difference_of, paired_difference
from readbench.runs.studies.lab import CAPABILITIES
from readbench.suites.suite import load_suite

SEED, COUNT, ITEMS = 20261130, 12, 400
REFERENCE, OTHERS = "task-static", ("gap", "read", "learnable", "horizon")
ARGUMENTS = ["--allocators", ",".join((REFERENCE, *OTHERS)), "--seeds", "400,401,402,403,404", "--set", "pilots.draw=41"]


def drawn() -> list[Counter[tuple[str, ...]]]:
    """The chains of each task, with their numbers."""
    rng = random.Random(SEED)
    tasks = [composed(rng) for _ in range(COUNT)]
    return [Counter(tuple(sorted(CAPABILITIES[step] for step in chain)) for chain in task.chains) for task in tasks]


def write_suite(folder: Path, chains: Counter[tuple[str, ...]]) -> Path:
    """A suite with the composition, and its test set."""
    origin = load_suite("tool-use").folder
    folder.mkdir(parents=True, exist_ok=True)
    described = yaml.safe_load((origin / "suite.yaml").read_text())
    described |= {
        "name": folder.name,
        "summary": "A random joint task.",
        "card": "Items of " + "; ".join(", ".join(chain) for chain in chains) + ".",
        "composition": [{"steps": list(chain), "share": count} for chain, count in chains.items()],
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    shutil.copy(origin / "task.yaml", folder)
    subprocess.run(["readbench", "suite", "test-set", str(folder), "--items", str(ITEMS)], check=True)
    return folder


def run(base: Path) -> None:
    for number, chains in enumerate(drawn(), 1):
        out = base / f"run-{number:02}"
        suite = base / f"composition-{number:02}"
        if not suite.is_dir():
            write_suite(suite, chains)
        again = ["resume", str(out)] if (out / "run.json").is_file() else ["run", "--suite", str(suite), *ARGUMENTS, "--out", str(out)]
        subprocess.run(["readbench", *again], check=True)


def table(base: Path) -> None:
    print(f"| | items | w = r | {' | '.join(f'`{name}`' for name in OTHERS)} |\n|---|---|---|{'---|' * len(OTHERS)}")
    gains: dict[str, list[float]] = {name: [] for name in OTHERS}
    for number, chains in enumerate(drawn(), 1):
        if not (base / f"run-{number:02}" / "results.json").is_file():
            continue
        values = metric_values(load(base / f"run-{number:02}"))
        reference, cells = values[REFERENCE]["utility"], []
        for name in OTHERS:
            difference = paired_difference(values[name]["utility"], reference)
            assert difference is not None
            gains[name].append(difference.mean)
            cells.append(f"{difference.mean:+.3f}{'' if difference.separated else ' (n.s.)'}")
        items = "; ".join(", ".join(chain) + (f" ×{count}" if count > 1 else "") for chain, count in chains.items())
        print(f"| {number} | {items} | {statistics.fmean(reference.values()):.3f} | {' | '.join(cells)} |")
    means = []
    for name in OTHERS:
        mean = difference_of(gains[name])
        interval = "" if mean is None or mean.interval is None else f" ({mean.interval[0]:+.3f} to {mean.interval[1]:+.3f})"
        means.append("" if mean is None else f"{mean.mean:+.3f}{interval}")
    print(f"| mean | {len(gains[OTHERS[0]])} tasks | | {' | '.join(means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    (run if arguments.what == "run" else table)(arguments.folder)


if __name__ == "__main__":
    main()
