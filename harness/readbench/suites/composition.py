"""Joint tasks: an item is a chain of questions from several capabilities and counts only if every step is right.

So an agent's task, or a document with several figures, is one item. Only single questions are taught, never a chain.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from readbench.api import Chain, Difficulty, Question, Source, Vector
from readbench.base.errors import ConfigError
from readbench.base.seeds import derive_seed
from readbench.suites.splits import LEVELS, Split, normalise, sample_from

FEWEST = 100  # different questions of a capability in a set of items


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """One step of an item."""

    capability: int
    difficulty: Difficulty
    question: Question


class Composition:
    """The kinds of items in a joint task; the shares sum to 1."""

    def __init__(self, chains: Sequence[tuple[tuple[int, ...], float]]) -> None:
        total = sum(share for _, share in chains)
        self.chains = tuple(Chain(steps=steps, share=share / total) for steps, share in chains)

    def step_shares(self, num_capabilities: int) -> Vector:
        """(K,) the share of all steps that each capability has; sums to 1."""
        counts = np.zeros(num_capabilities)
        for chain in self.chains:
            for step in chain.steps:
                counts[step] += chain.share
        shares: Vector = counts / counts.sum()
        return shares

    def plan(self, count: int) -> list[tuple[int, ...]]:
        """The steps of `count` items, chains by their shares (largest remainder); ConfigError if a chain would have no item."""
        exact = [chain.share * count for chain in self.chains]
        counts = [int(each) for each in exact]
        by_remainder = sorted(range(len(exact)), key=lambda n: counts[n] - exact[n])
        for n in by_remainder[: count - sum(counts)]:
            counts[n] += 1
        if 0 in counts:
            raise ConfigError(f"{count} items are too few for a composition of {len(counts)} chains", hint="ask for 300 or more")
        return [chain.steps for chain, n in zip(self.chains, counts, strict=True) for _ in range(n)]


def held_out_items(sources: Sequence[Source], split: Split, composition: Composition, count: int, suite: str) -> list[list[ChainStep]]:
    """`count` items of a split's questions; the same for every seed of a suite.

    Each capability asks a third of its questions in each difficulty, in random order, so that the difficulties of an item's steps
    are independent. A source that runs out of new questions asks its old ones again in other items; ConfigError if that happens
    before it has asked `FEWEST`, or a third of those that are needed.
    """
    plan = composition.plan(count)
    questions: dict[int, list[ChainStep]] = {}
    for capability in sorted({step for steps in plan for step in steps}):
        rng = random.Random(derive_seed("items", suite, split, capability))
        levels: list[Difficulty] = [LEVELS[n % len(LEVELS)] for n in range(sum(steps.count(capability) for steps in plan))]
        rng.shuffle(levels)
        taken: set[str] = set()
        drawn = questions[capability] = []
        for level in levels:
            try:
                question = sample_from(sources[capability], split, rng, level, taken)
            except ConfigError:
                if len(taken) < min(FEWEST, len(levels) / 3):
                    raise
                taken.clear()
                question = sample_from(sources[capability], split, rng, level)
            taken.add(normalise(question.prompt))
            drawn.append(ChainStep(capability=capability, difficulty=level, question=question))
    return [[questions[step].pop() for step in steps] for steps in plan]


def check_items(records: Sequence[Mapping[str, Any]], composition: Composition, capabilities: Sequence[str], where: str) -> None:
    """ConfigError for a test line without its item and capability, and for an item that lacks a step of its chain."""
    items: dict[int, list[str]] = {}
    for number, record in enumerate(records, start=1):
        item, capability = record.get("item"), str(record.get("capability"))
        if type(item) is not int or capability not in capabilities:
            raise ConfigError(f"{where}, line {number}: a step of a joint task needs its item (a number) and its capability")
        items.setdefault(item, []).append(capability)
    chains = [sorted(capabilities[step] for step in chain.steps) for chain in composition.chains]
    for item, steps in items.items():
        if sorted(steps) not in chains:
            raise ConfigError(
                f"{where}: item {item} has the steps {', '.join(steps)}: no chain of the composition has just these",
                hint="give it every step of its chain, once",
            )
