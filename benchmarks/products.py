"""What the choice of matrix products is worth on this CPU (`readbench.models.lean.products`): python benchmarks/products.py

Trials of `uniform` with the same seeds in this process, by turns: in float32 by MKL, in float32 as readbench chooses, and with factors in
bfloat16 where the CPU has units for them. Prints the time by phase and the difference in utility.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from readbench.models.lean import products
from readbench.models.lean.cpu import has_bfloat16, onednn_is_faster
from readbench.results.document.model import CompleteTrial
from readbench.runs.config import resolve
from readbench.views.cli.session import carry_out

PHASES = ("total", "teacher", "train", "probe", "eval")
CHOOSE = onednn_is_faster


def trial(folder: Path, kind: str, seed: int, budget: int) -> CompleteTrial:
    """One, in this process."""
    products.onednn_is_faster = CHOOSE if kind != "MKL" else lambda: False
    flags = {"allocators": "uniform", "seeds": f"{seed},", "budget_tokens": budget, "executor": "inline"}
    flags["training.products"] = "bfloat16" if kind == "bfloat16" else "float32"
    return carry_out(folder, resolve("reasoning", environment={}, flags=flags), observe=lambda _: None).complete[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=60_000)
    given = parser.parse_args()
    kinds = ["MKL", "chosen", *(["bfloat16"] if has_bfloat16() else [])]
    found: dict[str, list[CompleteTrial]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seeds + 1):
            for kind in kinds:
                done = trial(Path(folder) / f"{kind}-{seed}", kind, seed, given.budget)
                if seed:  # the first loads libraries
                    found[kind].append(done)
    print(f"oneDNN in float32: {'yes' if CHOOSE() else 'no'}\n")
    print("| phase | " + " | ".join(kinds) + " | times as fast |\n|---|" + "---|" * (len(kinds) + 1))
    for phase in PHASES:
        seconds = [float(np.mean([getattr(each.seconds, phase) for each in found[kind]])) for kind in kinds]
        print(f"| {phase} | " + " | ".join(f"{each:.2f} s" for each in seconds) + f" | {seconds[0] / seconds[-1]:.2f} |")
    utilities = [np.mean([each.metrics.utility for each in found[kind]]) for kind in kinds]
    print("\nutility: " + ", ".join(f"{kind} {utility:.3f}" for kind, utility in zip(kinds, utilities, strict=True)))


if __name__ == "__main__":
    main()
