import random
import re

import pytest

from readbench.api import Difficulty, Question, Source
from readbench.runs.studies.lab import CAPABILITIES, LEVELS, lab_sources
from readbench.suites.splits import split_of
from readbench_suites.lab.general_knowledge import FACTS
from readbench_suites.lab.multilingual import LANGUAGES, NOUNS

SOURCES = lab_sources()
CELLS = [(capability, level) for capability in CAPABILITIES for level in LEVELS]


def draw(source: Source, level: Difficulty, n: int, seed: int = 0) -> list[Question]:
    rng = random.Random(seed)
    return [source.sample(rng, level) for _ in range(n)]


@pytest.mark.parametrize(("capability", "level"), CELLS)
def test_a_source_is_a_function_of_its_generator(capability: str, level: Difficulty) -> None:
    first, again, other = (draw(SOURCES[capability], level, 50, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("capability", "level"), CELLS)
def test_questions_are_short_lines_of_ascii(capability: str, level: Difficulty) -> None:
    for question in draw(SOURCES[capability], level, 300):
        assert question.prompt.isascii()
        assert question.answer.isascii()
        assert question.prompt == question.prompt.strip()
        assert question.answer
        assert len(question.prompt) + len(question.answer) < 60
        assert "\n" not in question.prompt + question.answer


@pytest.mark.parametrize(("capability", "level"), CELLS)
def test_one_prompt_has_one_answer_and_one_split(capability: str, level: Difficulty) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for question in draw(SOURCES[capability], level, 3000):
        outcome = (question.answer, split_of(question))
        assert seen.setdefault(question.prompt, outcome) == outcome


@pytest.mark.parametrize(("capability", "level"), CELLS)
def test_every_split_has_enough_questions(capability: str, level: Difficulty) -> None:
    prompts: dict[str, set[str]] = {"teach": set(), "probe": set(), "dev": set(), "test": set()}
    for question in draw(SOURCES[capability], level, 12_000):
        prompts[split_of(question)].add(question.prompt)
    assert len(prompts["test"]) >= 200
    assert min(len(its) for its in prompts.values()) >= 70


@pytest.mark.parametrize("capability", ["general_knowledge", "multilingual"])
def test_recall_holds_out_the_phrasing_and_teaches_every_fact(capability: str) -> None:
    for level in LEVELS[: 3 if capability == "general_knowledge" else 2]:
        answers: dict[str, set[str]] = {"teach": set(), "test": set()}
        for question in draw(SOURCES[capability], level, 12_000):
            answers.setdefault(split_of(question), set()).add(question.answer)
        assert answers["test"] <= answers["teach"]


@pytest.mark.parametrize("level", LEVELS)
def test_sums_are_right_and_commute(level: Difficulty) -> None:
    for question in draw(SOURCES["math"], level, 300):
        a, b = map(int, question.prompt.split("+"))
        assert question.answer == str(a + b)
        assert split_of(Question(prompt=f"{b}+{a}", answer=question.answer, key=question.key)) == split_of(question)


@pytest.mark.parametrize("level", LEVELS)
def test_programs_print_what_python_prints(level: Difficulty, capsys: pytest.CaptureFixture[str]) -> None:
    for question in draw(SOURCES["code"], level, 200):
        exec(question.prompt, {})  # noqa: S102 - the capability's own programs
        assert capsys.readouterr().out.strip() == question.answer


@pytest.mark.parametrize("level", [0, 1])
def test_orders_are_right(level: Difficulty) -> None:
    for question in draw(SOURCES["reasoning"], level, 300):
        claim, asked = question.prompt.rstrip("?").split()
        rising = re.split("[<>]", claim)
        if ">" in claim:
            rising.reverse()
        assert question.answer == (rising[-1] if asked in ("max", "top") else rising[0])


def test_amounts_are_right() -> None:
    for question in draw(SOURCES["reasoning"], 2, 300):
        assert question.answer == str(sum(map(int, re.findall(r"\d+", question.prompt))))


@pytest.mark.parametrize("level", LEVELS)
def test_places_are_right(level: Difficulty) -> None:
    for question in draw(SOURCES["long_context"], level, 300):
        *letters, place = question.prompt.split()
        assert question.answer == letters[{"first": 0, "second": 1, "last": len(letters) - 1}[place]]


@pytest.mark.parametrize("level", LEVELS)
def test_forms_obey_every_instruction(level: Difficulty) -> None:
    for question in draw(SOURCES["steerability"], level, 300):
        instructions, word = question.prompt.split(": ")
        copies = 2 if "twice" in instructions else 1
        assert question.answer.lower().count(word) == copies
        assert question.answer.count("!") == (copies if "loud" in instructions else 0)
        assert question.answer.count("[") == question.answer.count("]") == (copies if "box" in instructions else 0)
        assert ("caps" in instructions) == (word.upper() in question.answer)
        assert len(instructions.split()) == level + 1


@pytest.mark.parametrize("level", LEVELS)
def test_calls_name_what_was_asked_for(level: Difficulty) -> None:
    for question in draw(SOURCES["tool_use"], level, 300):
        arguments = re.findall(r"[(,]([a-z]+)", question.answer)
        words = re.findall("[a-z]+", question.prompt)
        assert set(arguments) <= set(words)
        assert question.answer.count("(") == question.answer.count(")") == (2 if level == 2 else 1)
        if level == 1:  # the receiver comes first in the call, after "to" in the request
            assert words[words.index("to") + 1] == arguments[0]


@pytest.mark.parametrize("level", LEVELS)
def test_facts_are_those_of_the_table(level: Difficulty) -> None:
    rows = [{country, *facts} for country, facts in FACTS.items()]
    for question in draw(SOURCES["general_knowledge"], level, 300):
        words = set(re.findall("[a-z]+", question.prompt.removesuffix("'s")))
        assert any(question.answer in row and words & row for row in rows)


@pytest.mark.parametrize("level", LEVELS)
def test_translations_are_those_of_the_dictionary(level: Difficulty) -> None:
    for question in draw(SOURCES["multilingual"], level, 300):
        words = re.findall("[a-z]+", question.prompt)
        language = next(word for word in words if word in LANGUAGES)
        column = tuple(LANGUAGES).index(language)
        if level == 1:
            assert NOUNS[question.answer][column] in words
        else:
            nouns = [word for word in words if word in NOUNS]
            assert question.answer == f" {LANGUAGES[language]} ".join(NOUNS[noun][column] for noun in nouns)
