"""reasoning-gym as a source of questions."""

import random
import re
from pathlib import Path

import pytest

import readbench
from readbench.base.errors import ConfigError
from readbench.suites.prompts import held_out_questions
from readbench.suites.sources.gym import GymSource
from readbench.suites.suite import load_suite
from support.suites import suite_text, write_suite

LEVELS = "levels: [{min_terms: 2, max_terms: 2}, {min_terms: 3, max_terms: 3}, {min_terms: 4, max_terms: 4}]"


@pytest.mark.parametrize(
    "dataset", ["chain_sum", "leg_counting", "knights_knaves", "family_relationships", "number_sorting", "spell_backward"]
)
def test_a_question_s_own_answer_verifies_and_another_does_not(dataset: str) -> None:
    source, verifier, rng = GymSource(f"gym:{dataset}"), readbench.make_verifier("gym"), random.Random(0)
    for difficulty in (0, 1, 2):
        question = source.sample(rng, difficulty)
        assert verifier.score(question, f"Let me think.\n{question.answer}") == 1
        assert verifier.score(question, "<answer>neither</answer>") < 0.5
        assert "<answer>" in question.prompt


def test_the_same_generator_gives_the_same_questions() -> None:
    source = GymSource("gym:leg_counting")
    first, second = ([source.sample(rng, 1) for _ in range(3)] for rng in (random.Random(5), random.Random(5)))
    assert first == second
    assert len({question.prompt for question in first}) == 3


def test_the_levels_are_those_of_the_dataset_s_curriculum_or_of_the_suite(tmp_path: Path) -> None:
    def terms(source: object, difficulty: int) -> set[int]:
        rng = random.Random(0)
        sums = [source.sample(rng, difficulty).prompt.split(" =")[0].split(": ")[-1] for _ in range(30)]  # type: ignore[attr-defined]
        return {1 + each.count(" + ") + each.count(" - ") for each in sums}

    usual = GymSource("gym:chain_sum")
    assert [max(terms(usual, level)) for level in (0, 1, 2)] == [2, 3, 4]
    folder = write_suite(
        tmp_path / "mine", suite_text(math=f"source: 'gym:chain_sum', weight: 1, {LEVELS}"), test=[{"prompt": "a", "answer": "b"}]
    )
    (given,) = load_suite(str(folder)).sources()
    assert [terms(given, level) for level in (0, 1, 2)] == [{2}, {3}, {4}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("source: 'gym:chain_som', weight: 1", "unknown gym dataset 'chain_som'.*chain_sum"),
        ("source: 'gym:countdown', weight: 1", "evaluates answers as Python"),
        ("source: 'gym:codeio', weight: 1", "other questions in every process"),
        ("source: 'gym:word_ladder', weight: 1", "another reference answer in every process"),
        ("source: 'gym:gsm_symbolic', weight: 1", "no curriculum.*levels"),
        ("source: 'gym:chain_sum', weight: 1, levels: [{}, {}]", "2 levels.*three"),
        ("source: 'gym:chain_sum', weight: 1, levels: [{}, {}, {terms: 3}]", "cannot have these settings.*terms"),
        ("source: lab.math, weight: 1, levels: [{}, {}, {}]", "only a gym source has levels"),
    ],
)
def test_a_gym_source_that_cannot_be_is_one_line(tmp_path: Path, settings: str, message: str) -> None:
    folder = write_suite(tmp_path / "mine", suite_text(math=settings), test=[{"prompt": "a", "answer": "b"}])
    with pytest.raises(ConfigError) as caught:
        load_suite(str(folder))
    line = " ".join(str(caught.value).split())
    assert re.search(message, f"{line} {caught.value.hint or ''}")


def test_a_source_that_runs_out_is_named() -> None:
    few = GymSource("gym:chain_sum", [{"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}] * 3)
    with pytest.raises(ConfigError, match=r"source gym:chain_sum has no more probe questions that are easy \(\d+ are taken\)"):
        held_out_questions([few], "probe", 100, "s")
