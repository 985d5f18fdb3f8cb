"""Grading: a question's own verifier, with the run's parameters, and one line for whatever is wrong with it."""

from typing import Any

import pytest

from readbench.api import Plugin, Question
from readbench.base import plugins
from readbench.base.errors import ConfigError
from readbench.suites import grading
from readbench.suites.grading import Grader


def test_each_question_is_judged_by_its_own_verifier() -> None:
    grader = Grader()
    half = Question(prompt="half of 3?", answer="It is 1.5.", verifier="number", reference="1.5")
    capital = Question(prompt="capital?", answer="Paris")
    assert [grader.score(half, text) for text in ("3/2", "so, 1,5", "15", "")] == [1, 1, 0, 0]
    assert [grader.right(capital, text) for text in ("The answer is paris.", "<answer>Paris</answer>", "Parish")] == [True, True, False]


def test_the_run_s_parameters_reach_the_verifier() -> None:
    question = Question(prompt="?", answer="100", verifier="number")
    assert Grader().score(question, "101") == 0
    assert Grader({"number": {"tolerance": 0.02}}).score(question, "101") == 1


def test_an_unknown_verifier_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError, match=r"unknown verifier 'numbr'.*number"):
        Grader().score(Question(prompt="?", answer="1", verifier="numbr"), "1")


def test_a_verifier_that_must_be_allowed_is_refused_before_any_answer() -> None:
    with pytest.raises(ConfigError, match="verifier code runs what a model wrote"):
        Grader().prepare([Question(prompt="?", answer="pass", verifier="code")])


@pytest.mark.parametrize(
    ("score", "said"), [(1.5, "gave the score 1.5"), (float("nan"), "gave the score nan"), ("much", "raised ValueError")]
)
def test_a_score_out_of_bounds_is_one_line(monkeypatch: pytest.MonkeyPatch, score: Any, said: str) -> None:
    class Odd:
        def score(self, question: Question, answer: str) -> float:  # noqa: ARG002 - the contract
            return score  # type: ignore[no-any-return]

    known = plugins.registry()
    extended = plugins.Registry(
        {**known.found, ("verifier", "odd"): plugins.Registered(Plugin("verifier", "odd", "Odd.", Odd), "tests")}, known.broken
    )
    monkeypatch.setattr(plugins, "registry", lambda: extended)
    monkeypatch.setattr(grading, "registry", lambda: extended)
    with pytest.raises(ConfigError, match=f"verifier 'odd' {said}"):
        Grader().score(Question(prompt="?", answer="1", verifier="odd"), "1")
