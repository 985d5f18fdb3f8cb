"""Which score of a probe tells what a student has learned? Candidates compared with exact match on many other questions.

    python benchmarks/scores.py --mixes 24

Trains the lab's student on random sparse mixes of eleven capabilities: the lab's eight and three that it does not learn within these
budgets (sums of three digits, products, reversal). Every mix is trained for 20,000 and for 60,000 tokens, and each of the three alone
for 120,000. A probe gives the summed log-probability L of its n answer tokens and whether greedy decoding writes them (exact); each
candidate makes a score of that:

    form     exp(L/n)     the geometric mean of the answer's token probabilities
    whole    exp(L)       the probability of the whole answer: the expected exact match of a sampled answer
    exact    0 or 1       greedy exact match
    blend    half exact, half sigmoid(0.6 + 1.15 logit(whole))

The table says how a score's change on 40 probes goes along with the change of exact match on 300 questions of the test split
(Pearson over students and learnable capabilities; Spearman within a capability), the standard error of the change on 40 probes, the
spread of the change over students (on the 300 questions) as a multiple of that error, and how far the score climbs on a capability of
which nothing is learned.
"""

import argparse
import json
import os
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from regimes import start, train

from readbench.base import processes
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.runs.config import RunConfig, resolve
from readbench.runs.studies.lab import CAPABILITIES
from readbench.suites.prompts import held_out_questions

Array = npt.NDArray[np.float64]
UNLEARNED = ("long_sum", "product", "reversal")
PROBES, QUESTIONS = 40, 300
CANDIDATES = ("form", "whole", "exact", "blend")


def scores_of(total: Array, labels: Array, exact: Array) -> dict[str, Array]:
    """Each candidate's scores (n,) of n probes."""
    odds = total - np.log(-np.expm1(np.minimum(total, -1e-9)))  # logit of the whole answer's probability
    return {
        "form": np.exp(total / labels),
        "whole": np.exp(total),
        "exact": exact,
        "blend": exact / 2 + 0.5 / (1 + np.exp(-0.6 - 1.15 * odds)),
    }


def write_suite(folder: Path) -> Path:
    """A suite of eleven capabilities."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(6, 9))) for _ in range(9000)]
    pairs = [(rng.randint(100, 999), rng.randint(100, 999), rng.randint(12, 99), rng.randint(12, 99)) for _ in range(9000)]
    questions = {
        "long_sum": [(f"{a}+{b}", str(a + b)) for a, b, _, _ in pairs],
        "product": [(f"{a}*{b}", str(a * b)) for _, _, a, b in pairs],
        "reversal": [(f"back {word}", word[::-1]) for word in words],
    }
    for name, lines in questions.items():
        text = "".join(json.dumps({"prompt": prompt, "answer": answer}) + "\n" for prompt, answer in dict(lines).items())
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    reasoning = resolve("multilingual").suite.folder
    for name in ("task.yaml", "test.jsonl"):
        (folder / name).write_bytes((reasoning / name).read_bytes())
    capabilities = {name: {"source": f"lab.{name}", "weight": 1} for name in CAPABILITIES}
    capabilities |= {name: {"jsonl": f"{name}.jsonl", "weight": 1} for name in UNLEARNED}
    suite = {"schema": 1, "name": "scores", "version": 1, "summary": "Scores.", "card": "Scores.", "capabilities": capabilities}
    settings = resolve("multilingual").suite.config.defaults
    (folder / "suite.yaml").write_text(json.dumps(suite | {"test": {"task": "task.yaml"}, "defaults": settings}), encoding="utf-8")
    return folder / "suite.yaml"


def measured(model: LanguageModel, sets: list[list[list[Encoded]]]) -> list[list[dict[str, Array]]]:
    """Each candidate's scores, (n,) of each capability in each set."""
    found = []
    for each in sets:
        total, greedy = model.log_likelihoods([probe for probes in each for probe in probes])
        labels = np.array([probe.label_count for probes in each for probe in probes], dtype=np.float64)
        scores = scores_of(total, labels, greedy.astype(np.float64))
        bounds = np.cumsum([len(probes) for probes in each])[:-1]
        found.append([{name: parts[c] for name, parts in _split(scores, bounds).items()} for c in range(len(each))])
    return found


def _split(scores: dict[str, Array], bounds: npt.NDArray[np.int64]) -> dict[str, list[Array]]:
    return {name: np.split(values, bounds) for name, values in scores.items()}


def student(file: str, mix: list[float], budget: int, seed: int) -> list[list[dict[str, Array]]]:
    """The scores of one trained student on probes and test questions."""
    torch.set_num_threads(1)
    suite, config = resolve(file).suite, _config(file, budget)
    trained = start(config)
    encoded = [
        [[trained.model.encode(q.prompt, q.answer) for q in each] for each in held_out_questions(suite.sources(), split, count, suite.name)]
        for split, count in (("probe", PROBES), ("test", QUESTIONS))
    ]
    if budget:
        train(trained, suite, config, np.tile(np.array(mix), (config.num_intervals, 1)), seed, set())
    return measured(trained.model, encoded)


def _config(file: str, budget: int) -> RunConfig:
    config = resolve(file).config
    return replace(config, budget_tokens=max(budget, 1), num_intervals=max(1, budget // 10_000))


def ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values)).astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mixes", type=int, default=24)
    arguments = parser.parse_args()
    names = (*CAPABILITIES, *UNLEARNED)
    learnable = range(len(CAPABILITIES))
    rng = np.random.default_rng(0)
    mixes = []
    for _ in range(arguments.mixes):
        mix = np.zeros(len(names))
        chosen = rng.choice(len(names), rng.integers(1, 5), replace=False)
        mix[chosen] = rng.dirichlet(np.ones(len(chosen)))
        mixes.append(mix)
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count(), mp_context=processes.context("spawn")) as pool:
        file = str(write_suite(Path(folder)))
        before_future = pool.submit(student, file, mixes[0].tolist(), 0, 0)
        futures = [pool.submit(student, file, mix.tolist(), budget, seed) for budget in (20_000, 60_000) for seed, mix in enumerate(mixes)]
        alone = [pool.submit(student, file, np.eye(len(names))[names.index(name)].tolist(), 120_000, 0) for name in UNLEARNED]
        before, after, climbed = before_future.result(), [each.result() for each in futures], [each.result() for each in alone]
    true = np.array([[(one[1][c]["exact"] - before[1][c]["exact"]).mean() for c in learnable] for one in after])
    print(f"{len(after)} students, {len(learnable)} learnable capabilities; {PROBES} probes against exact match on {QUESTIONS} questions\n")
    print(f"| score | r | rank r | standard error | spread / error | {' | '.join(UNLEARNED)} |")
    print(f"|---|---|---|---|---|{'---|' * len(UNLEARNED)}")
    for name in CANDIDATES:
        change = np.array([[(one[0][c][name] - before[0][c][name]).mean() for c in learnable] for one in after])
        error = np.array([[(one[0][c][name] - before[0][c][name]).std(ddof=1) / PROBES**0.5 for c in learnable] for one in after])
        spread = np.array([[(one[1][c][name] - before[1][c][name]).mean() for c in learnable] for one in after]).std(axis=0)
        r = np.corrcoef(change.ravel(), true.ravel())[0, 1]
        rank = np.mean([np.corrcoef(ranks(change[:, c]), ranks(true[:, c]))[0, 1] for c in learnable])
        climbs = [f"{(climbed[n][1][c][name] - before[1][c][name]).mean():+.3f}" for n, c in enumerate(range(len(learnable), len(names)))]
        ratio = (spread / error.mean(axis=0)).mean()
        print(f"| {name} | {r:.3f} | {rank:.3f} | {error.mean():.4f} | {ratio:.1f} | {' | '.join(climbs)} |")


if __name__ == "__main__":
    main()
