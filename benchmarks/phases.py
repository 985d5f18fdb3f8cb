"""Where a trial's time goes: by phase, as trials record it, and by kernel, as torch's profiler counts it.

    python benchmarks/phases.py [--suite reasoning] [--objective sft] [--budget 60000]       # a minute, one thread

The first table is of whole trials of `task-static` without the profiler; the second of one more trial under it, which costs time of its
own: its shares count, not its seconds. Both run in this process.
"""

import argparse
import tempfile
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from readbench.results.document.model import Results
from readbench.runs.config import resolve
from readbench.views.cli.session import carry_out

PHASES = ("teacher", "train", "rollout", "probe", "eval", "allocator")
KERNELS = 12


def run(folder: Path, flags: dict[str, object], seeds: str) -> Results:
    """Trials in this process."""
    settings = {"allocators": "task-static", "seeds": seeds, "executor": "inline", **flags}
    return carry_out(folder, resolve(str(flags["suite"]), environment={}, flags=settings), observe=lambda _: None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suite", default="reasoning")
    parser.add_argument("--objective", default="sft")
    parser.add_argument("--budget", type=int, default=60_000, help="tokens a trial")
    given = parser.parse_args()
    flags = {"suite": given.suite, "objectives": given.objective, "budgets": given.budget}
    with tempfile.TemporaryDirectory() as folder:
        trials = run(Path(folder) / "plain", flags, "3").complete
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            run(Path(folder) / "profiled", flags, "9,")
    seconds = {phase: sum(getattr(trial.seconds, phase) for trial in trials) / len(trials) for phase in PHASES}
    total = sum(trial.seconds.total for trial in trials) / len(trials)
    print(f"{given.suite}, {given.objective}, {given.budget:,} tokens: {total:.2f} s a trial\n\n| phase | seconds | share |\n|---|---|---|")
    for phase, each in (*seconds.items(), ("the rest", total - sum(seconds.values()))):
        print(f"| {phase} | {each:.2f} | {each / total:.0%} |")
    found = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    whole = sum(event.self_cpu_time_total for event in found)
    print("\n| kernel | calls | share of the time in torch |\n|---|---|---|")
    for event in found[:KERNELS]:
        print(f"| `{event.key}` | {event.count:,} | {event.self_cpu_time_total / whole:.0%} |")


if __name__ == "__main__":
    main()
