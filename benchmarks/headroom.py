"""How much a suite leaves to be won over w = r: uniform, w = r, one-hots, the best fixed mix and the best schedule that a search found.

    python benchmarks/headroom.py SUITE --search --seeds 0,1,2    # on tuning seeds; keeps what it finds in benchmarks/headroom/
    python benchmarks/headroom.py SUITE --seeds 10,11,12          # the table, on fresh seeds

Trains the suite's student at the suite's settings on given allocations, with right answers instead of a teacher's and the prompts'
curriculum, and measures the utility on the suite's test set. The search draws sparse mixes, then varies the best ones, then
varies the phases of a schedule; each round uses other tuning seeds, and the last one all of them.
"""

import argparse
import functools
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from regimes import start, train

from readbench.api import Vector
from readbench.base import processes
from readbench.results.stats import difference_of
from readbench.runs.config import resolve
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.grading import Grader
from readbench.suites.splits import normalise
from readbench.suites.suite import load_suite

KEPT = Path(__file__).parent / "headroom"
MIXES, VARIED, FINALISTS, PHASES = 24, 12, 5, 3
Schedule = npt.NDArray[np.float64]  # (phases, K): each phase's mix


def utility(suite_name: str, sets: tuple[str, ...], phases: list[list[float]], seed: int) -> float:
    """The utility of one trained student."""
    torch.set_num_threads(1)
    resolved = resolve(suite_name, sets=list(sets))
    suite, config = resolved.suite, resolved.config
    student = start(config)
    schedule = np.array(phases)[np.arange(config.num_intervals) * len(phases) // config.num_intervals]
    train(student, suite, config, schedule, seed, {normalise(prompt) for prompt in suite.test_prompts()})
    return evaluate(student.model, suite, Grader(), max_new_tokens=config.max_new_tokens).utility


class Trials:
    """Utilities by schedule and seed, computed in parallel and never twice."""

    def __init__(self, suite: str, sets: Sequence[str], pool: ProcessPoolExecutor) -> None:
        self._run = functools.partial(pool.submit, utility, suite, tuple(sets))
        self._known: dict[tuple[str, int], float] = {}

    def __call__(self, schedules: Sequence[Schedule], seeds: Sequence[int]) -> npt.NDArray[np.float64]:
        """(schedules, seeds) utilities."""
        wanted = {(json.dumps(each.tolist()), seed) for each in schedules for seed in seeds} - self._known.keys()
        futures = {key: self._run(json.loads(key[0]), key[1]) for key in sorted(wanted)}
        self._known |= {key: future.result() for key, future in futures.items()}
        return np.array([[self._known[json.dumps(each.tolist()), seed] for seed in seeds] for each in schedules])


def sparse_mix(rng: np.random.Generator, requirement: Vector) -> Schedule:
    """A Dirichlet mix over some of the capabilities, most of them required ones."""
    required, others = np.flatnonzero(requirement), np.flatnonzero(requirement == 0)
    chosen = rng.choice(required, rng.integers(1, len(required) + 1), replace=False)
    if len(others) and rng.random() < 0.3:
        chosen = np.append(chosen, rng.choice(others))
    mix = np.zeros(len(requirement))
    mix[chosen] = rng.dirichlet(np.ones(len(chosen)))
    return mix[None]


def varied(rng: np.random.Generator, schedule: Schedule, requirement: Vector) -> Schedule:
    """A neighbour: every share times exp(0.4 z), and 15 % of one phase moved to a required capability."""
    new = schedule * np.exp(0.4 * rng.standard_normal(schedule.shape))
    new /= new.sum(axis=1, keepdims=True)
    if rng.random() < 0.5:
        phase = rng.integers(len(new))
        new[phase] *= 0.85
        new[phase, rng.choice(np.flatnonzero(requirement))] += 0.15
    return np.asarray(new.round(4))


def best(trials: Trials, schedules: Sequence[Schedule], seeds: Sequence[int]) -> list[Schedule]:
    """The schedules by mean utility, the best first."""
    return [schedules[i] for i in np.argsort(-trials(schedules, seeds).mean(axis=1), kind="stable")]


def search(trials: Trials, requirement: Vector, seeds: Sequence[int], effort: int) -> dict[str, list[list[float]]]:
    """The best fixed mix and the best schedule on the tuning seeds, with `effort` times as many tries in each round."""
    rng = np.random.default_rng(0)
    mixes, tries = effort * MIXES, effort * VARIED
    known = [requirement[None], *(sparse_mix(rng, requirement) for _ in range(mixes))]
    leaders = best(trials, known, seeds[:1])[:FINALISTS]
    for seed in seeds[1:]:
        leaders = best(trials, [*leaders, *(varied(rng, leaders[n % len(leaders)], requirement) for n in range(tries))], [seed])[:FINALISTS]
    fixed = best(trials, [*leaders, requirement[None]], seeds)[0]
    constant = np.repeat(fixed, PHASES, axis=0)
    moving = best(trials, [constant, *(varied(rng, constant, requirement) for _ in range(tries))], seeds[:1])[:FINALISTS]
    moving = best(trials, [*moving, *(varied(rng, moving[n % len(moving)], requirement) for n in range(tries))], seeds[-1:])[:FINALISTS]
    return {"fixed": fixed.tolist(), "schedule": best(trials, [*moving, constant], seeds)[0].tolist()}


def table(trials: Trials, requirement: Vector, capabilities: Sequence[str], found: dict[str, list[list[float]]], seeds: list[int]) -> None:
    """Every allocation's utility, and its paired difference to w = r."""
    rows = {"w = r": requirement[None], "uniform": np.full((1, len(requirement)), 1 / len(requirement))}
    rows |= {f"all on {capabilities[c]}": np.eye(len(requirement))[c][None] for c in np.flatnonzero(requirement)}
    rows |= {f"best {kind} found": np.array(phases) for kind, phases in found.items()}
    utilities = dict(zip(rows, trials(list(rows.values()), seeds), strict=True))
    print("| allocation | utility | against w = r, 95 % |\n|---|---|---|")
    for name, values in utilities.items():
        difference = difference_of((values - utilities["w = r"]).tolist())
        against = f"{difference.mean:+.3f} ({difference.interval[0]:+.3f} to {difference.interval[1]:+.3f})" if difference.interval else "–"
        print(f"| {name} | {values.mean():.3f} ± {values.std(ddof=1):.3f} | {against if name != 'w = r' else ''} |")
    for kind, phases in found.items():
        texts = [", ".join(f"{capabilities[c]} {phase[c]:.2f}" for c in np.flatnonzero(np.array(phase) >= 0.01)) for phase in phases]
        print(f"\n{kind}: {'; then '.join(texts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite")
    parser.add_argument("--seeds", default="10,11,12")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--effort", type=int, default=1, help="of the search: how many times the usual number of tries")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    suite = load_suite(arguments.suite)
    kept = KEPT / f"{suite.name}.json"
    with ProcessPoolExecutor(os.cpu_count(), mp_context=processes.context("spawn")) as pool:
        trials = Trials(arguments.suite, arguments.sets, pool)
        if arguments.search:
            found = search(trials, suite.requirement, seeds, arguments.effort)
            KEPT.mkdir(exist_ok=True)
            kept.write_text(
                json.dumps({"version": suite.config.version, "tuned_on": seeds, "effort": arguments.effort, **found}, indent=1) + "\n",
                encoding="utf-8",
            )
        else:
            document = json.loads(kept.read_text(encoding="utf-8"))
            if document["version"] != suite.config.version or set(document["tuned_on"]) & set(seeds):
                parser.error(
                    f"{kept} is of version {document['version']}, tuned on {document['tuned_on']}: search again, or give fresh seeds"
                )
            found = {kind: document[kind] for kind in ("fixed", "schedule")}
        table(trials, suite.requirement, suite.capabilities, found, seeds)


if __name__ == "__main__":
    main()
