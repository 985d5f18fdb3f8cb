import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from readbench.base.errors import ConfigError
from readbench.base.plugins import registry
from readbench.suites.sources.listed import read_list
from readbench.suites.splits import normalise
from readbench.suites.suite import load_suite
from support.suites import suite_text, write_suite

SUITE = suite_text(math="source: lab.math, weight: 3", code="source: lab.code, weight: 1", facts="jsonl: facts.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_suite(tmp_path, SUITE, test=[{"prompt": "1+1=", "answer": "2", "capability": "math"}])
    lines = [{"prompt": f"question {n}", "answer": str(n), "factors": {"steps": n, "digits": n % 3}} for n in range(30)]
    (tmp_path / "facts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def test_a_suite_file_of_one_s_own_is_read_by_its_path(folder: Path) -> None:
    for reference in (folder, folder / "suite.yaml"):
        suite = load_suite(str(reference))
        assert suite.capabilities == ("math", "code", "facts")
        np.testing.assert_allclose(suite.requirement, [0.75, 0.25, 0.0])
        assert suite.test_prompts() == ["1+1="]


def test_difficulty_is_the_tertile_of_the_mean_normalised_factor(folder: Path) -> None:
    source = read_list(folder / "facts.jsonl")
    rng = random.Random(0)
    means = [np.mean([int(source.sample(rng, level).answer) for _ in range(100)]) for level in (0, 1, 2)]
    assert means == sorted(means)
    assert means[2] - means[0] > 5


def test_the_content_hash_follows_every_file(folder: Path) -> None:
    before = load_suite(str(folder)).content_hash()
    with (folder / "test.jsonl").open("a") as file:
        file.write('{"prompt": "1+2=", "answer": "3"}\n')
    assert load_suite(str(folder)).content_hash() != before


@pytest.mark.parametrize("added", ["check: {margins: {utility: 0.5}}\n", "defaults: {budget_tokens: 7}\n", "# a remark\n"])
def test_margins_and_defaults_are_no_part_of_the_content_hash(folder: Path, added: str) -> None:
    """A change of a default is seen in the settings that come of it, and must not look like another suite."""
    before = load_suite(str(folder)).content_hash()
    with (folder / "suite.yaml").open("a") as file:
        file.write(added)
    assert load_suite(str(folder)).content_hash() == before


@pytest.mark.parametrize(
    ("old", "new"), [("weight: 3", "weight: 2"), ("version: 1", "version: 2"), ("test:", "reward: {beta: 0.1}\ntest:")]
)
def test_what_a_result_depends_on_is_part_of_the_content_hash(folder: Path, old: str, new: str) -> None:
    before = load_suite(str(folder)).content_hash()
    replaced(old, new)(folder)
    assert load_suite(str(folder)).content_hash() != before


def test_the_order_of_the_capabilities_is_part_of_the_content_hash(folder: Path) -> None:
    before = load_suite(str(folder)).content_hash()
    math, code = "  math: {source: lab.math, weight: 3}\n", "  code: {source: lab.code, weight: 1}\n"
    replaced(math + code, code + math)(folder)
    assert load_suite(str(folder)).content_hash() != before


def test_margins_are_read(folder: Path) -> None:
    replaced("test:", "check: {margins: {utility: 0.5, profile.math: 0.1}}\ntest:")(folder)
    assert load_suite(str(folder)).config.check.margins == {"utility": 0.5, "profile.math": 0.1}


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "suite.yaml").read_text()
        assert old in text
        (folder / "suite.yaml").write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced("summary:", "sumary:"), "unknown setting 'sumary'; did you mean 'summary'"),
        (replaced("weight: 3", "wieght: 3"), "did you mean 'weight'"),
        (replaced("weight: 3", "weight: -1"), "capabilities.math.weight"),
        (replaced("weight: 3", "weight: 0"), "capabilities.math.weight"),
        (replaced("weight: 3", "weight: .nan"), "not a finite number"),
        (replaced("weight: 3", "weight: 'much'"), "capabilities.math.weight"),
        (replaced(", weight: 3", "").__call__, ""),
        (replaced("source: lab.math", "source: lab.maths"), "unknown source 'lab.maths'; did you mean 'lab.math'"),
        (replaced("{source: lab.math, weight: 3}", "{weight: 3}"), "needs one of source, jsonl and dataset"),
        (replaced("facts.jsonl", "none.jsonl"), "no file 'none.jsonl'"),
        (replaced("facts.jsonl", "../facts.jsonl"), "outside the suite's folder"),
        (replaced("version: 1", "version: one"), "version"),
        (replaced("schema: 1", "schema: 2"), "schema 2 is not known"),
        (replaced("name: mine", "name: My Suite"), "name"),
        (replaced("  math: {source: lab.math, weight: 3}\n  code: {source: lab.code, weight: 1}\n", ""), "no capability has a weight"),
        (replaced("test: {task: task.yaml}", ""), "test"),
        (replaced("test:", "check: {margins: {profile.maths: 0.1}}\ntest:"), "unknown metric 'profile.maths'; did you mean 'profile.math'"),
        (replaced("test:", "check: {margins: {utility: 0}}\ntest:"), "check.margins.utility"),
        (replaced("test:", "check: {margin: {}}\ntest:"), "unknown setting 'check.margin'; did you mean 'margins'"),
        (lambda folder: (folder / "task.yaml").unlink(), "no file 'task.yaml'"),
        (lambda folder: (folder / "suite.yaml").unlink(), "suite"),
    ],
)
def test_an_unsound_suite_is_one_line_that_names_the_place(folder: Path, change: Callable[[Path], None], said: str) -> None:
    change(folder)
    if not said:  # one weight left is enough
        assert load_suite(str(folder)).requirement.tolist() == [0.0, 1.0, 0.0]
        return
    with pytest.raises(ConfigError, match=said) as error:
        load_suite(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "a"},
        {"prompt": "", "answer": "b"},
        {"prompt": "a", "answer": 3},
        {"prompt": "a", "answer": "b", "x": 1},
        {"prompt": "a", "answer": "b", "factors": {}},
        {"prompt": "a", "answer": "b", "factors": {"n": "3"}},
    ],
)
def test_a_wrong_question_names_its_record(folder: Path, record: dict[str, object]) -> None:
    lines = (folder / "facts.jsonl").read_text().splitlines()
    (folder / "facts.jsonl").write_text("\n".join([*lines[:4], json.dumps(record), *lines[4:]]))
    with pytest.raises(ConfigError, match="record 5"):
        read_list(folder / "facts.jsonl")


def test_every_shipped_suite_is_sound_and_its_test_set_is_held_out() -> None:
    for name in registry().plugins("suite"):
        suite = load_suite(name)
        assert suite.name == name
        assert suite.requirement.sum() == pytest.approx(1)
        assert (suite.requirement > 0).sum() >= 2
        prompts = suite.test_prompts()
        assert len({normalise(prompt) for prompt in prompts}) == len(prompts) >= 200


def test_a_composition_is_known_unless_the_card_is_wrong_about_it() -> None:
    assert load_suite("misread").known_composition is None
    tools = load_suite("tool-use")
    names = [tuple(tools.capabilities[step] for step in chain.steps) for chain in tools.known_composition or ()]
    assert names == [("code", "tool_use", "steerability")]
    control = load_suite("multilingual")
    shares = {control.capabilities[chain.steps[0]]: chain.share for chain in control.known_composition or ()}
    assert shares == {name: pytest.approx(r) for name, r in zip(control.capabilities, control.requirement, strict=True) if r > 0}
