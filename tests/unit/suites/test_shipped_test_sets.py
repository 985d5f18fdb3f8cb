import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from readbench.base.plugins import registry
from readbench.runs.studies.lab import CAPABILITIES
from readbench.runs.studies.test_set import sampled_test
from readbench.suites.composition import held_out_items
from readbench.suites.prompts import held_out_questions
from readbench.suites.splits import normalise
from readbench.suites.suite import Suite, load_suite

SIZES = {"lm-tools": 150} | dict.fromkeys(("lm-generalist", "lm-math", "lm-reasoning", "logic"), 200)  # items; of the lab's suites 400
MIXTURES = ("multilingual", "lm-generalist", "lm-math", "lm-reasoning", "logic")
JOINT = ("coding", "generalist", "misread", "reasoning", "tool-use", "lm-tools")
NAMES = (*MIXTURES, *JOINT)


def size_of(name: str) -> int:
    return SIZES.get(name, 400)


def lines_of(suite: Suite) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (suite.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_suites_are_registered() -> None:
    assert set(NAMES) <= set(registry().plugins("suite"))


@pytest.mark.parametrize("name", NAMES)
def test_the_test_set_is_what_the_command_writes(name: str) -> None:
    suite = load_suite(name)
    assert (suite.folder / "test.jsonl").read_text(encoding="utf-8") == sampled_test(suite, size_of(name))


@pytest.mark.parametrize("name", MIXTURES)
def test_the_test_set_follows_the_requirement(name: str) -> None:
    suite = load_suite(name)
    lines = lines_of(suite)
    assert len(lines) == len({normalise(line["prompt"]) for line in lines})
    assert len(lines) == pytest.approx(size_of(name), abs=2)
    for capability, share in zip(suite.capabilities, suite.requirement, strict=True):
        assert sum(line["capability"] == capability for line in lines) == pytest.approx(share * size_of(name), abs=1)


@pytest.mark.parametrize("name", JOINT)
def test_a_joint_test_set_follows_the_composition(name: str) -> None:
    suite = load_suite(name)
    assert suite.composition is not None
    items: dict[int, list[str]] = {}
    for line in lines_of(suite):
        items.setdefault(line["item"], []).append(line["capability"])
    chains = [tuple(suite.capabilities[step] for step in steps) for steps in suite.composition.plan(size_of(name))]
    assert Counter(map(tuple, items.values())) == Counter(chains)


@pytest.mark.parametrize("name", JOINT)
def test_joint_dev_items_are_of_questions_that_are_neither_tested_nor_probed(name: str) -> None:
    suite = load_suite(name)
    assert suite.composition is not None
    dev = held_out_items(suite.sources(), "dev", suite.composition, 300, suite.name)
    asked = {normalise(step.question.prompt) for item in dev for step in item}
    probed = {normalise(q.prompt) for each in held_out_questions(suite.sources(), "probe", 40, suite.name) for q in each}
    assert len(asked) > 0.9 * sum(map(len, dev))
    assert not asked & (probed | {normalise(line["prompt"]) for line in lines_of(suite)})


@pytest.mark.parametrize("name", NAMES)
def test_the_test_set_shares_nothing_with_probes_and_dev(name: str) -> None:
    suite = load_suite(name)
    tested = {normalise(line["prompt"]) for line in lines_of(suite)}
    for split in ("probe", "dev"):
        for questions in held_out_questions(suite.sources(), split, 40, suite.name):
            assert not tested & {normalise(question.prompt) for question in questions}


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_of_the_lab_knows_all_capabilities_and_each_needs_some_of_them(name: str) -> None:
    suite = load_suite(name)
    assert name in SIZES or suite.capabilities == CAPABILITIES
    assert 2 <= np.count_nonzero(suite.requirement) < len(suite.capabilities)


@pytest.mark.parametrize("name", [name for name in JOINT if name != "misread"])
def test_a_joint_suite_s_card_is_right_about_the_steps(name: str) -> None:
    suite = load_suite(name)
    assert suite.composition is not None
    lines = lines_of(suite)
    for capability, weight in zip(suite.capabilities, suite.requirement, strict=True):
        assert sum(line["capability"] == capability for line in lines) / len(lines) == pytest.approx(weight, abs=1e-9)
