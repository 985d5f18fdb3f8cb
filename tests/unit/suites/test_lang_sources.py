"""The templates in plain language: their answers, found in another way, and what their verifiers take and refuse."""

import csv
import itertools
import json
import random
import re
from collections.abc import Callable

import pytest

from readbench.api import Difficulty, Question
from readbench.base.plugins import make
from readbench.suites.grading import Grader
from readbench.suites.verifiers._final import reference_of, tagged_answer
from readbench_suites.lang.translation import NOUNS, described, number_of, told

LEVELS: tuple[Difficulty, ...] = (0, 1, 2)
NAMES = ("lang.tables", "lang.tool_calls", "lang.translation")


def drawn(name: str, level: Difficulty, count: int = 200) -> list[Question]:
    source, rng = make("source", name), random.Random(level)
    return [source.sample(rng, level) for _ in range(count)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_right_and_that_to_another_question_wrong(name: str, level: Difficulty) -> None:
    grader, questions = Grader(), drawn(name, level)
    for question, other in itertools.pairwise(questions):
        assert grader.score(question, question.answer) == 1
        if reference_of(other) != reference_of(question):
            assert grader.score(question, other.answer) == 0
        assert grader.score(question, "I do not know.") == 0


@pytest.mark.parametrize("name", NAMES)
def test_difficulties_ask_differently_and_a_seed_asks_the_same(name: str) -> None:
    lengths = [sum(len(question.prompt) for question in drawn(name, level)) for level in LEVELS]
    assert lengths == sorted(lengths)
    assert drawn(name, 1, 20) == drawn(name, 1, 20)
    assert len({question.key for question in drawn(name, 0)}) > 100


def rows_of(table: str) -> list[dict[str, str]]:
    lines = [line.strip("| ").replace(" | ", ",") for line in table.splitlines() if not line.startswith("| ---")]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_stands_in_the_table(level: Difficulty) -> None:
    for question in drawn("lang.tables", level):
        table, asked, _ = question.prompt.split("\n\n")
        rows = rows_of(table)
        assert len(rows) == (3, 6, 10)[level]
        if level == 0:
            column, item = re.fullmatch(r"What is the (\w+) of the (\w+)\?", asked).groups()  # type: ignore[union-attr]
            (answer,) = [row[column] for row in rows if row["item"] == item]
        elif level == 1:
            way, column = re.fullmatch(r"Which item has the (\w+) (\w+)\?", asked).groups()  # type: ignore[union-attr]
            ranked = sorted(rows, key=lambda row: int(row[column]), reverse=way == "highest")
            assert ranked[0][column] != ranked[1][column]
            answer = ranked[0]["item"]
        else:
            column, city = re.fullmatch(r"What is the total (\w+) of all items in (\w+)\?", asked).groups()  # type: ignore[union-attr]
            answer = str(sum(int(row[column]) for row in rows if row["city"] == city))
        assert tagged_answer(question.answer) == answer


# of the two numbers in a request, what the call's computed argument is
COMPUTED: dict[str, tuple[str, Callable[[list[int]], int]]] = {
    "book_table": ("people", lambda n: n[0] + n[1]),
    "set_timer": ("minutes", lambda n: 60 * n[0] + n[1]),
    "send_money": ("euros", lambda n: n[0] * n[1]),
    "get_forecast": ("days", lambda n: 7 * n[0] + n[1]),
    "order_supplies": ("count", lambda n: n[0] * n[1]),
    "reserve_seats": ("seats", lambda n: 2 * n[0]),
    "reserve_room": ("nights", lambda n: n[1] - n[0]),
    "set_volume": ("level", lambda n: n[0] + n[1]),
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_call_is_of_a_tool_that_is_shown_with_what_the_request_says(level: Difficulty) -> None:
    seen = set()
    for question in drawn("lang.tool_calls", level):
        tools, _, asked = question.prompt.split("\n\n")
        request = asked.removeprefix("Request: ").removesuffix("\nCall:")
        signatures = [re.match(r"(\w+)\((.*)\): ", line) for line in tools.splitlines()[1:]]
        shown = {found[1]: dict(part.split(": ") for part in found[2].split(", ")) for found in signatures if found}
        call = json.loads(question.answer)
        assert len(shown) == (2, 4, 6)[level]
        types = {name: {"integer": int, "string": str}[kind] for name, kind in shown[call["name"]].items()}
        assert {name: type(value) for name, value in call["arguments"].items()} == types
        computed, rule = COMPUTED[call["name"]]
        for name, value in call["arguments"].items():
            if level == 2 and name == computed:
                assert value == rule([int(number) for number in re.findall(r"\d+", request)])
            else:
                assert str(value) in request
        seen.add(call["name"])
    assert seen == set(COMPUTED)


def test_changed_calls_are_wrong() -> None:
    grader = Grader()
    for question in drawn("lang.tool_calls", 2):
        call = json.loads(question.answer)
        fenced = f"Sure!\n```json\n{json.dumps(call, indent=1)}\n```"
        assert grader.score(question, fenced) == 1
        number = next(name for name, value in call["arguments"].items() if isinstance(value, int))
        for changed in (
            call | {"name": "other_tool"},
            call | {"arguments": call["arguments"] | {number: call["arguments"][number] + 1}},
            call | {"arguments": call["arguments"] | {"more": 1}},
            call | {"arguments": {number: call["arguments"][number]}},
        ):
            assert grader.score(question, json.dumps(changed)) == 0


TWO, THREE, FOUR, FIVE, SIX, TEN, TWELVE = 0, 1, 2, 3, 4, 8, 10  # indices of NUMBERS
BY_NAME = {noun[0]: noun for noun in NOUNS}
EGG, TREE, CAR, DOOR, HOUSE, BOTTLE = (BY_NAME[name] for name in ("egg", "tree", "car", "door", "house", "bottle"))
TABLE, FLOWER, SHIRT, HORSE, STAR = (BY_NAME[name] for name in ("table", "flower", "shirt", "horse", "star"))
# written by hand: a question, answers that are right, answers that are wrong
TRANSLATIONS = (
    (number_of("German", TWO, ("bird", "birds")), ["zwei Vögel"], ["zwei Vogel", "drei Vögel", "Vögel"]),
    (number_of("German", TWELVE, ("key", "keys")), ["zwölf Schlüssel", "**zwölf Schlüssel**"], ["zwölf Schlüsseln"]),
    (described("German", "expensive", HOUSE, plural=False), ["das teure Haus"], ["der teure Haus", "das teuer Haus"]),
    (described("German", "white", DOOR, plural=True), ["die weißen Türen", "Die weißen Türen."], ["die weiße Türen", "die weißen Tore"]),
    (
        told("German", "Emma", "buys", THREE, "clean", ("shirt", "shirts")),
        ["Emma kauft drei saubere Hemden."],
        ["Emma kauft drei sauberen Hemden."],
    ),
    (number_of("French", FOUR, EGG), ["quatre œufs", "quatre oeufs"], ["quatre oeuf", "quatre"]),
    (described("French", "green", TREE, plural=False), ["l'arbre vert", "L’arbre vert."], ["le arbre vert", "l'arbre verte"]),
    (described("French", "heavy", BOTTLE, plural=False), ["la bouteille lourde"], ["la bouteille lourd", "le bouteille lourde"]),
    (described("French", "expensive", CAR, plural=True), ["les voitures chères"], ["les voitures chers"]),
    (
        told("French", "Hugo", "sees", FIVE, "white", HORSE),
        ["Hugo voit cinq chevaux blancs."],
        ["Hugo voit cinq cheval blancs."],
    ),
    (
        told("French", "Nora", "draws", TWO, "yellow", STAR),
        ["« Nora dessine deux étoiles jaunes. »"],
        ["Nora dessine deux étoiles."],
    ),
    (number_of("Spanish", SIX, FLOWER), ["seis flores"], ["seis flors", "6 flores rojas"]),
    (described("Spanish", "blue", TREE, plural=True), ["los árboles azules"], ["las árboles azules", "los árboles azul"]),
    (described("Spanish", "round", TABLE, plural=False), ["la mesa redonda"], ["la mesa redondo"]),
    (described("Spanish", "heavy", CAR, plural=False), ["el coche pesado", "el carro pesado"], ["el coche pesada"]),
    (told("Spanish", "Ben", "has", TEN, "black", ("cat", "cats")), ["Ben tiene diez gatos negros"], ["Ben tiene diez gatos negro"]),
)


@pytest.mark.parametrize(("question", "right", "wrong"), TRANSLATIONS, ids=[question.key for question, _, _ in TRANSLATIONS])
def test_translations_written_by_hand_are_judged_as_they_should(question: Question, right: list[str], wrong: list[str]) -> None:
    grader = Grader()
    for answers, expected in ((right, True), (wrong, False)):
        for answer in answers:
            for text in (answer, f"The translation is:\n\n<answer>{answer}</answer>"):
                assert grader.right(question, text) is expected, text
