"""What fixed mixes do to the lab's student in each suite: the table in docs/lab.md that shows the suites' regimes.

Trains the suite's student at the suite's default settings on fixed allocations, with right answers instead of a teacher's and the
prompts' curriculum, and prints exact match on the suite's test set: uniform, w = r, r with replay, one-hot on each required
capability, and a quarter or a half on each with the rest by r and replay; if more than three are required, also r without each.

    python benchmarks/regimes.py reasoning --seeds 3
"""

import argparse
import json
import random
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Difficulty, Vector
from readbench.base.plugins import make
from readbench.base.seeds import derive_seed
from readbench.models.batches import Encoded
from readbench.models.folder import resolve_model
from readbench.runs.config import RunConfig, resolve
from readbench.students.student import Student
from readbench.suites.prompts import difficulty_mix
from readbench.suites.splits import normalise, sample_from
from readbench.suites.suite import Suite

LEVELS: tuple[Difficulty, ...] = (0, 1, 2)
Schedule = npt.NDArray[np.float64]  # (T, K)


def start(config: RunConfig) -> Student:
    return Student.load(resolve_model(config.student), training=config.training, objective=make("objective", "sft"), device="cpu")


def test_questions(suite: Suite, student: Student) -> tuple[list[str], list[Encoded]]:
    lines = [json.loads(line) for line in (suite.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["capability"] for line in lines], [student.model.encode(line["prompt"], line["answer"]) for line in lines]


def train(student: Student, suite: Suite, config: RunConfig, schedule: Schedule, seed: int, tested: set[str]) -> None:
    """One trial with the allocations (T, K): shares of charged tokens, carried over from interval to interval."""
    sources = suite.sources()
    rngs = [random.Random(derive_seed("regimes", seed, capability)) for capability in suite.capabilities]
    owed = np.zeros(len(suite.capabilities))
    spent = 0
    for interval in range(config.num_intervals):
        share = spent / config.budgets[0]
        weights = difficulty_mix(share)
        owed += schedule[interval] * config.budgets[0] / config.num_intervals
        examples = []
        charged = 0
        for capability, (source, rng) in enumerate(zip(sources, rngs, strict=True)):
            while owed[capability] > 0:
                question = sample_from(source, "teach", rng, rng.choices(LEVELS, weights)[0], tested)
                examples.append(student.model.encode(question.prompt, question.answer))
                cost = len(examples[-1].tokens) + examples[-1].label_count
                owed[capability] -= cost
                charged += cost
        spent += charged
        student.train(examples, progress=(share, min(spent / config.budgets[0], 1.0)), seed=derive_seed("regimes", seed, interval))


def mixes(suite: Suite) -> dict[str, Vector]:
    r = suite.requirement
    uniform = np.full(len(r), 1 / len(r))
    named = {"uniform": uniform, "w = r": r, "0.85 r + 0.15 uniform": 0.85 * r + 0.15 * uniform}
    for c in np.flatnonzero(r):
        hot = np.eye(len(r))[c]
        named[f"all on {suite.capabilities[c]}"] = hot
        named[f"0.25 {suite.capabilities[c]} + 0.75 r"] = 0.25 * hot + 0.75 * r
        named[f"0.55 {suite.capabilities[c]} + 0.3 r + 0.15 uniform"] = 0.55 * hot + 0.3 * r + 0.15 * uniform
        if np.count_nonzero(r) > 3:
            named[f"r without {suite.capabilities[c]}"] = r * (1 - hot) / (1 - r[c])
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--student")
    parser.add_argument("--mixes", default="", help="only mixes whose name contains one of these, separated by commas")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.suites:
        resolved = resolve(name, sets=arguments.sets)
        suite, config = resolved.suite, resolved.config
        if arguments.student:
            config = replace(config, student=arguments.student)
        capabilities, encoded = test_questions(suite, start(config))
        tested = {normalise(line) for line in suite.test_prompts()}
        required = [suite.capabilities[c] for c in np.flatnonzero(suite.requirement)]

        def score(student: Student, capabilities: list[str] = capabilities, encoded: list[Encoded] = encoded) -> dict[str, float]:
            matches = student.model.log_likelihoods(encoded)[1]
            of = {c: float(np.mean([m for m, its in zip(matches, capabilities, strict=True) if its == c])) for c in set(capabilities)}
            return of | {"utility": float(matches.mean())}

        before = score(start(config))
        print(f"\n{name}: budget {config.budgets[0]}, {config.num_intervals} intervals, learning rate {config.training.learning_rate}")
        print(f"| allocation | utility | {' | '.join(required)} | CPU s a trial |\n|---|---|{'---|' * len(required)}---|")
        print(f"| before | {before['utility']:.3f} | {' | '.join(f'{before[c]:.2f}' for c in required)} | |", flush=True)
        for label, mix in mixes(suite).items():
            if arguments.mixes and not any(part in label for part in arguments.mixes.split(",")):
                continue
            runs = []
            began = time.process_time()
            for seed in range(arguments.seeds):
                student = start(config)
                train(student, suite, config, np.tile(mix, (config.num_intervals, 1)), seed, tested)
                runs.append(score(student))
            utilities = [run["utility"] for run in runs]
            parts = " | ".join(f"{np.mean([run[c] for run in runs]):.2f}" for c in required)
            seconds = (time.process_time() - began) / arguments.seeds
            print(f"| {label} | {np.mean(utilities):.3f} ± {np.std(utilities):.3f} | {parts} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
