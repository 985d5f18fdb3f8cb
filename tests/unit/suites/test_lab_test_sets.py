import json

import pytest

from readbench.base.plugins import registry
from readbench.runs.studies.lab import CAPABILITIES, TEST_SET_SIZE, test_set
from readbench.suites.prompts import held_out_questions
from readbench.suites.splits import normalise
from readbench.suites.suite import Suite, load_suite

NAMES = ("coding", "generalist", "multilingual", "reasoning", "tool-use")
test_set.__test__ = False  # type: ignore[attr-defined]  # a function of the lab, no test


def lines_of(suite: Suite) -> list[dict[str, str]]:
    return [json.loads(line) for line in (suite.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_suites_are_registered() -> None:
    assert set(NAMES) <= set(registry().plugins("suite"))


@pytest.mark.parametrize("name", NAMES)
def test_the_test_set_is_what_the_command_writes(name: str) -> None:
    folder = load_suite(name).folder
    assert (folder / "test.jsonl").read_text(encoding="utf-8") == test_set(folder)


@pytest.mark.parametrize("name", NAMES)
def test_the_test_set_follows_the_requirement(name: str) -> None:
    suite = load_suite(name)
    lines = lines_of(suite)
    assert len(lines) == len({normalise(line["prompt"]) for line in lines}) >= TEST_SET_SIZE
    for capability, share in zip(suite.capabilities, suite.requirement, strict=True):
        assert sum(line["capability"] == capability for line in lines) == pytest.approx(share * TEST_SET_SIZE, abs=1)


@pytest.mark.parametrize("name", NAMES)
def test_the_test_set_shares_nothing_with_probes_and_dev(name: str) -> None:
    suite = load_suite(name)
    tested = {normalise(line["prompt"]) for line in lines_of(suite)}
    for split in ("probe", "dev"):
        for questions in held_out_questions(suite.sources(), split, 40, suite.name):
            assert not tested & {normalise(question.prompt) for question in questions}


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_knows_all_capabilities_and_weighs_some_unequally(name: str) -> None:
    suite = load_suite(name)
    assert suite.capabilities == CAPABILITIES
    weights = suite.requirement[suite.requirement > 0]
    assert len(weights) >= 2
    assert weights.min() < weights.max()
