"""How well `readbench plan --like RUN` reckons other runs of the lab, which are then made: python benchmarks/plan.py

Prints tokens by kind and wall clock, reckoned and measured.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from readbench.runs.config import Resolved, resolve
from readbench.runs.plan import plan
from readbench.runs.planning.cost import bill, parameters
from readbench.views.rates import measured_rates

CORES = 2
KNOWN = {"allocators": "uniform,task-static", "seeds": "3", "budget_tokens": 60_000}
OTHERS = (
    ("reasoning", {"allocators": "uniform,task-static,random", "seeds": "4", "budget_tokens": 60_000}),
    ("reasoning", {"allocators": "read-cold,uniform", "seeds": "3", "budget_tokens": 60_000, "objectives": "forward-kl"}),
    ("coding", {"allocators": "uniform,task-static", "seeds": "4", "budget_tokens": 45_000, "num_intervals": 6}),
)


def made(suite: str, flags: dict[str, object], out: Path) -> tuple[Resolved, float]:
    """A run by the command, as a user makes it, and its wall clock in seconds."""
    flags = {**flags, "workers": CORES}
    sets = [f"--set={key}={value}" for key, value in flags.items()]
    began = time.perf_counter()
    command = [sys.executable, "-m", "readbench", "run", "--suite", suite, "--out", out, *sets]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resolve(suite, environment={}, flags=flags), time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made("reasoning", KNOWN, Path(folder) / "known")
        rates = measured_rates(Path(folder) / "known")
        for number, (suite, flags) in enumerate(OTHERS):
            out = Path(folder) / str(number)
            resolved, wall = made(suite, flags, out)
            reckoned = bill(resolved, plan(resolved), rates, devices=CORES, student=parameters(resolved.config.student, None))
            trials = json.loads((out / "results.json").read_text())["trials"]
            print(f"\n{suite}, {', '.join(f'{key} {value}' for key, value in flags.items())}")
            for kind in ("trained", "scored", "probe", "eval"):
                measured = sum(trial["tokens"][kind] + (trial["tokens"]["dev"] if kind == "probe" else 0) for trial in trials)
                if measured:
                    print(f"  {kind:>9}: {reckoned.tokens[kind]:>10,} tokens reckoned, {measured:>10,} measured")
            error = reckoned.wall_seconds / wall - 1
            print(f"  wall clock: {reckoned.wall_seconds:.0f} s reckoned, {wall:.0f} s measured: {error:+.0%}")


if __name__ == "__main__":
    main()
