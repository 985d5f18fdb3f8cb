"""Does an identifier read the requirement of a task that it has never seen from the task's card?

    python benchmarks/identifier.py ENCODER --tasks 24

ENCODER is a sentence encoder, a folder or a hub id. The tasks are random joint compositions of the lab's eight capabilities, each with a
card written from templates in several wordings. A pilot's training does not know the task, so one set of pilots serves all tasks: its
students answer the probes, and a pool of dev questions from which each task's 300 items are drawn. For each task an identifier is fitted
on all the others (leave one out) with one draw of pilots; everything is judged on another draw.

Explained: the share of the pilots' squared changes of log utility that a·(r·Δ log s) explains with the best a ≥ 0, averaged over tasks.
Recall: the share of the k needed capabilities among the k with the largest weights. Distance: half of Σ |r − share of steps|. The card's
own requirement is the share of steps, so its recall and distance are perfect by construction.
"""

import argparse
import random
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from regimes import start, train

from readbench.api import Pilot, Vector
from readbench.models.folder import resolve_model
from readbench.runs.config import RunConfig, resolve
from readbench.runs.studies.lab import CAPABILITIES
from readbench.suites.probes import by_likelihood, profile_of
from readbench.suites.prompts import held_out_questions
from readbench.suites.suite import Suite
from readbench.trials.requirement.by_pilots import infer
from readbench.trials.requirement.encoder import embed
from readbench.trials.requirement.identifier import explained, leave_one_out, task_of

PILOTS, TOKENS, PROBES, POOL, ITEMS = 24, 20_000, 160, 200, 300
WORDS = {
    "general_knowledge": ("what somebody is or where a thing belongs", "facts known by heart", "knowledge of a small world"),
    "steerability": (
        "answers written exactly as told",
        "obeying an instruction about the form of the answer",
        "following the stated format",
    ),
    "reasoning": ("who stands first in an order of things", "a conclusion from several comparisons", "logical steps from premises"),
    "math": ("the result of a sum", "arithmetic with whole numbers", "a calculation"),
    "code": ("what a short program prints", "tracing a few lines of code", "the output of a script"),
    "tool_use": ("the call of a tool with its arguments", "a function call for a request", "which program to invoke, and how"),
    "long_context": ("what stood at a place of a long list", "finding an entry in a long text", "something said far above"),
    "multilingual": ("the translation of a phrase", "words in another language", "rendering a sentence in a foreign tongue"),
}
FRAMES = (
    "The student works through files. {chains} A file counts only if every answer in it is right.",
    "Each task of this customer has several parts. {chains} One wrong part spoils the task.",
    "An assistant handles requests. {chains} A request is done when all of its parts are.",
)


@dataclass(frozen=True)
class Composed:
    """A random joint task."""

    chains: tuple[tuple[int, ...], ...]
    card: str

    def shares(self) -> Vector:
        """(K,) the share of all steps that each capability has."""
        counts = np.bincount([step for chain in self.chains for step in chain], minlength=len(CAPABILITIES))
        shares: Vector = counts / counts.sum()
        return shares


def composed(rng: random.Random) -> Composed:
    """One to three chains of two or three of two to four capabilities, in equal shares, and a card that says so."""
    needed = rng.sample(range(len(CAPABILITIES)), rng.randint(2, 4))
    chains = tuple(tuple(rng.sample(needed, min(len(needed), rng.randint(2, 3)))) for _ in range(rng.randint(1, 3)))
    said = []
    for chain in chains:
        parts = [rng.choice(WORDS[CAPABILITIES[step]]) for step in chain]
        share = "All of them" if len(chains) == 1 else ("Half of them", "A third of them")[len(chains) - 2]
        said.append(f"{share} ask for {', for '.join(parts[:-1])} and for {parts[-1]}.")
    return Composed(chains, rng.choice(FRAMES).format(chains=" ".join(said)))


def pilot_students(suite: Suite, config: RunConfig, draw: int) -> list[tuple[Vector, "Measured"]]:
    """Each pilot's mix, and what its student can do afterwards."""
    rng = np.random.default_rng(1000 + draw)
    found = []
    for number in range(PILOTS):
        chosen = rng.choice(len(CAPABILITIES), size=int(rng.integers(1, 4)), replace=False)
        mix = np.zeros(len(CAPABILITIES))
        mix[chosen] = rng.dirichlet(np.ones(len(chosen)))
        student = start(config)
        train(student, suite, config, mix[None], 10_000 * (1 + draw) + number, set())
        found.append((mix, measured(student, suite)))
    return found


@dataclass(frozen=True)
class Measured:
    """What a student can do."""

    soft: Vector  # (K,) on the probes
    exact: Vector  # (K,)
    log_steps: npt.NDArray[np.float64]  # (K, POOL) mean log-probability of each dev question's answer


def measured(student, suite: Suite) -> Measured:  # type: ignore[no-untyped-def]
    profiles = []
    for split, count in (("probe", PROBES), ("dev", POOL)):
        questions = held_out_questions(suite.sources(), split, count, suite.name)  # type: ignore[arg-type]
        encoded = [student.model.encode(q.prompt, q.answer) for each in questions for q in each]
        profiles.append(by_likelihood(student.model, encoded))
    profile = profile_of(profiles[0], [PROBES] * len(CAPABILITIES))
    return Measured(profile.soft, profile.exact_match, profiles[1].log_soft.reshape(len(CAPABILITIES), POOL))


def soft_utility(task: Composed, found: Measured, seed: int) -> float:
    """The mean over items of the product of their steps."""
    rng = np.random.default_rng(seed)
    items = []
    for number in range(ITEMS):
        chain = task.chains[number % len(task.chains)]
        items.append(np.exp(sum(found.log_steps[step, rng.integers(POOL)] for step in chain)))
    return float(np.mean(items))


def pilots_of(task: Composed, seed: int, before: Measured, after: list[tuple[Vector, Measured]]) -> list[Pilot]:
    start_utility = soft_utility(task, before, seed)
    return [
        Pilot(
            allocation=mix,
            tokens=TOKENS,
            profile_before=before.soft,
            profile_after=each.soft,
            exact_before=before.exact,
            exact_after=each.exact,
            soft_before=before.soft,
            soft_after=each.soft,
            utility_before=0.0,
            utility_after=0.0,
            soft_utility_before=start_utility,
            soft_utility_after=soft_utility(task, each, seed),
        )
        for mix, each in after
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("encoder")
    parser.add_argument("--tasks", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="of the tasks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    resolved = resolve("reasoning", sets=[f"budget_tokens={TOKENS}", "num_intervals=1", "num_dev=300"])
    suite, config = resolved.suite, resolved.config
    began = time.perf_counter()
    before = measured(start(config), suite)
    draws = [pilot_students(suite, config, draw) for draw in (0, 1)]
    rng = random.Random(arguments.seed)
    tasks = [composed(rng) for _ in range(arguments.tasks)]
    embeddings = embed(resolve_model(arguments.encoder), [task.card for task in tasks])
    told = [[pilots_of(task, seed, before, draw) for seed, task in enumerate(tasks)] for draw in draws]
    learned, judged = (
        [
            task_of(f"task {n}", embedding, pilots, joint=True, own=CAPABILITIES, capabilities=CAPABILITIES)
            for n, (embedding, pilots) in enumerate(zip(embeddings, each, strict=True))
        ]
        for each in told
    )
    answers = {
        "identifier, fitted on the other tasks": leave_one_out(learned, CAPABILITIES),
        "pilots of this task": [infer(pilots, joint=True).weights for pilots in told[0]],
        "card (share of steps)": [task.shares() for task in tasks],
        "uniform": [np.full(len(CAPABILITIES), 1 / len(CAPABILITIES))] * len(tasks),
    }
    print(f"{len(tasks)} tasks, {PILOTS} pilots of {TOKENS:,} tokens a draw, {time.perf_counter() - began:.0f} s\n")
    print("| requirement by | explained | recall | distance |\n|---|---|---|---|")
    for name, each in answers.items():
        rows = []
        for task, one, answer in zip(tasks, judged, each, strict=True):
            shares = task.shares()
            k = np.count_nonzero(shares)
            top = np.argsort(-answer, kind="stable")[:k]
            rows.append((explained(one, answer), np.mean(shares[top] > 0), np.abs(answer - shares).sum() / 2))
        cells = " | ".join(
            f"{np.mean(column):.2f} ± {np.std(column, ddof=1) / np.sqrt(len(rows)):.2f}" for column in zip(*rows, strict=True)
        )
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
