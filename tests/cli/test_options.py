"""How options are read: numbers as people write them, repeated lists, and nothing dropped in silence."""

from collections.abc import Callable
from typing import Any

import pytest
import typer

from readbench.views.cli.reading import token_count

Readbench = Callable[..., Any]
DRY = ("run", "--suite", "reasoning", "--seeds", "1", "--dry-run", "--json")


@pytest.mark.parametrize(("text", "tokens"), [("100000", 100_000), ("100_000", 100_000), ("1e5", 100_000), ("1.5e6", 1_500_000)])
def test_a_budget_is_a_whole_number_however_it_is_written(readbench: Readbench, text: str, tokens: int) -> None:
    assert token_count(text) == tokens
    assert readbench(*DRY, "--budget", text).json()["config"]["budgets"] == [tokens]


@pytest.mark.parametrize("text", ["1.5", "many", "", "nan", "inf", "1e30", "0x10", "1e-3"])
def test_anything_else_is_no_budget(readbench: Readbench, text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a whole number of tokens"):
        token_count(text)
    outcome = readbench(*DRY, "--budget", text)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)


def test_allocators_are_one_list_however_often_the_option_is_given(readbench: Readbench) -> None:
    given = ("--allocators", "read,uniform", "--allocators", "random, read")
    shown = readbench(*DRY, *given).json()
    assert shown["config"]["allocators"] == ["read", "uniform", "random"]
    assert shown["origins"]["allocators"] == "flag --allocators"


@pytest.mark.parametrize(
    "twice",
    [
        ("run", "--suite", "reasoning", "--budget", "10000", "--budget=20000"),
        ("run", "--suite", "reasoning", "--suite", "coding"),
        ("compare", "a", "--reference", "read", "--reference", "uniform"),
        ("check", "a", "--baseline", "b", "--baseline", "c"),
    ],
)
def test_an_option_given_twice_is_refused_where_one_value_would_be_dropped(readbench: Readbench, twice: tuple[str, ...]) -> None:
    outcome = readbench(*twice)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "is given twice: give it once" in outcome.err


def test_an_older_way_of_writing_a_parameter_is_warned_of(readbench: Readbench) -> None:
    outcome = readbench(*DRY, "--allocators", "read", "--set", "params.read.kappa=0.5")
    assert outcome.code == 0
    assert outcome.err == "warning: params.read is the older way of writing: write params.allocator.read\n"
    assert outcome.json()["origins"]["params.allocator.read.kappa"] == "--set params.read.kappa"
