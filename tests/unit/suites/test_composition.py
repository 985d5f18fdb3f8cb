"""Joint tasks: what an item is, which items are made, and which test sets are refused."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench.api import Difficulty, Question
from readbench.base.errors import ConfigError
from readbench.students.student import Student
from readbench.suites.composition import Composition, held_out_items
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.evaluation.tasks import share_of_items
from readbench.suites.grading import Grader
from readbench.suites.probes import by_likelihood, score_items
from readbench.suites.splits import split_of
from readbench.suites.suite import load_suite
from support.suites import suite_text, write_suite

JOINT = "composition:\n- {steps: [a, b], share: 3}\n- {steps: [b, c, c]}\n"
SOURCES = dict.fromkeys("abc", "source: lab.math")
STEPS = [("a", 0), ("b", 0), ("c", 1), ("b", 1), ("c", 1)]


class Numbers:
    """Endless different questions; the prompt says the difficulty."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        return Question(prompt=f"{difficulty} {rng.randrange(10**9)}", answer="x")


def lines(*steps: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"item": item, "capability": name, "prompt": f"{n}{name}", "answer": "7"} for n, (name, item) in enumerate(steps)]


def joint_suite(folder: Path, test: list[dict[str, Any]], composition: str = JOINT, **capabilities: str) -> Path:
    return write_suite(folder / "suite", suite_text(more=composition, **SOURCES | capabilities), test=test)


def test_the_requirement_is_the_share_of_the_steps_unless_the_card_says_otherwise(tmp_path: Path) -> None:
    suite = load_suite(str(joint_suite(tmp_path, lines(*STEPS))))
    assert suite.requirement.tolist() == pytest.approx([0.75 / 2.25, 1.0 / 2.25, 0.5 / 2.25])
    given = load_suite(str(joint_suite(tmp_path, lines(*STEPS), a="source: lab.math, weight: 3", c="source: lab.math, weight: 1")))
    assert given.requirement.tolist() == [0.75, 0.0, 0.25]
    assert given.composition is not None


def test_a_plan_follows_the_shares_to_within_one_item() -> None:
    composition = Composition([((0, 1), 3.0), ((1, 2, 2), 1.0), ((2, 0), 2.0)])
    for count in range(6, 40):
        planned = Counter(composition.plan(count))
        assert sum(planned.values()) == count
        assert all(abs(planned[chain.steps] - chain.share * count) < 1 for chain in composition.chains)
    with pytest.raises(ConfigError, match="2 items are too few for a composition of 3 chains"):
        composition.plan(2)


def test_items_hold_distinct_questions_of_their_split_in_independent_difficulties() -> None:
    composition = Composition([((0, 1), 1.0), ((1, 2, 2), 1.0)])
    items = held_out_items([Numbers()] * 3, "dev", composition, 300, "s")
    assert items == held_out_items([Numbers()] * 3, "dev", composition, 300, "s")
    assert Counter(tuple(step.capability for step in item) for item in items) == {(0, 1): 150, (1, 2, 2): 150}
    steps = [step for item in items for step in item]
    assert len({step.question.prompt for step in steps}) == len(steps)
    assert {split_of(step.question) for step in steps} == {"dev"}
    assert all(step.question.prompt[0] == str(step.difficulty) for step in steps)
    assert Counter(step.difficulty for step in steps if step.capability == 1) == {0: 100, 1: 100, 2: 100}
    pairs = np.array([(item[0].difficulty, item[1].difficulty) for item in items[:150]])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.2


class Few(Numbers):
    """A source of so many questions."""

    def __init__(self, count: int) -> None:
        self.count = count

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        return Question(prompt=f"{difficulty} {rng.randrange(self.count)}", answer="x")


def test_a_source_that_runs_out_asks_again_but_not_with_too_few_questions() -> None:
    composition = Composition([((0, 1), 1.0)])
    items = held_out_items([Numbers(), Few(600)], "dev", composition, 300, "s")
    prompts = Counter(item[1].question.prompt for item in items)
    assert 100 <= len(prompts) < 300
    assert len({item[0].question.prompt for item in items}) == 300
    with pytest.raises(ConfigError, match="has no more dev questions"):
        held_out_items([Numbers(), Few(200)], "dev", composition, 300, "s")


def test_an_item_is_right_only_if_every_step_is() -> None:
    assert share_of_items([(0, 1), (1, 1), (0, 1), (1, 0), (2, 0)]) == pytest.approx(1 / 3)


def test_the_utility_is_the_share_of_right_items_beside_that_of_right_steps(tmp_path: Path, student_of: Callable[..., Student]) -> None:
    folder = joint_suite(tmp_path, lines(*[(name, 2 * n + item) for n in range(12) for name, item in STEPS]))
    student = student_of(warmup_share=0.0)
    records = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    for step in range(40):
        taught = [student.model.encode(record["prompt"], "7" if record["capability"] != "c" else "8") for record in records]
        student.train(taught, progress=(0.0, 0.1), seed=step)
    model = student.model
    encoded = [[model.encode(r["prompt"], r["answer"]) for r in records if r["item"] == item] for item in range(24)]
    matches = [[bool(match) for match in model.log_likelihoods(item)[1]] for item in encoded]
    steps = [match for item in matches for match in item]
    share = sum(map(all, matches)) / 24
    result = evaluate(model, load_suite(str(folder)), Grader(), max_new_tokens=8)
    assert (result.utility, result.step_accuracy, result.n) == (share, sum(steps) / len(steps), 24)
    assert 0 < result.utility < result.step_accuracy < 1
    score = score_items(by_likelihood(model, [step for item in encoded for step in item]), [len(item) for item in encoded])
    assert (score.utility, score.exact, score.tokens) == (share, share, result.tokens)
    each = [model.log_likelihoods(item)[0] / np.array([step.label_count for step in item]) for item in encoded]
    assert score.soft == pytest.approx(np.mean([np.exp(item.sum()) for item in each]), rel=1e-6)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (lines(("a", 0)), "item 0 has the steps a: no chain of the composition has just these"),
        (lines(*STEPS, ("b", 0)), "item 0 has the steps a, b, b"),
        ([{"prompt": "1", "answer": "2"}], "test.jsonl, line 1: a step of a joint task needs its item"),
        ([{**lines(*STEPS)[0], "item": "0"}], "line 1: a step of a joint task needs its item"),
        ([{**lines(*STEPS)[0], "capability": "z"}], "line 1: a step of a joint task needs its item"),
    ],
)
def test_a_test_set_with_a_step_too_few_or_too_many_is_refused(tmp_path: Path, test: list[dict[str, Any]], said: str) -> None:
    folder = joint_suite(tmp_path, test)
    with pytest.raises(ConfigError) as caught:
        load_suite(str(folder))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("composition", "said"),
    [
        ("composition: [{steps: [a, mth]}]\n", "composition: unknown capability 'mth'"),
        ("composition: [{steps: [a]}]\n", "composition.0.steps"),
        ("composition: [{steps: [a, b], share: 0}]\n", "composition.0.share"),
    ],
)
def test_a_composition_that_cannot_be_is_refused(tmp_path: Path, composition: str, said: str) -> None:
    folder = joint_suite(tmp_path, lines(*STEPS), composition)
    with pytest.raises(ConfigError) as caught:
        load_suite(str(folder))
    assert said in str(caught.value)
