"""The final tables and the closing lines, from a small results document."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from readbench.results.summary import summarise
from readbench.views.console.closing import closing_lines, verdict
from readbench.views.console.tables import print_tables, profile_tables
from support.results import parsed

HOSTILE = "\x1b[31mred\x1b[0m [bold]x[/bold] \u202egnp"


def printed(document: dict[str, Any], *, width: int = 160) -> str:
    stream = io.StringIO()
    print_tables(Console(file=stream, width=width, markup=False, highlight=False), summarise(parsed(document)))
    return stream.getvalue()


def test_one_row_an_allocator_with_mean_and_spread(document: dict[str, Any]) -> None:
    rows = {line.split()[0]: line for line in printed(document).splitlines() if " ± " in line and "sd" not in line}
    assert rows["read"].index("0.600 ± 0.020") < rows["read"].index("0.350 ± 0.020") < rows["read"].index("0.030 ± 0.000")
    assert "9,900 ± 0 (99.0%)" in rows["read"]
    assert "300 / 200 / 100" in rows["read"]
    assert "0.500 ± 0.020" in rows["uniform"]
    assert list(rows) == ["read", "uniform"], "the higher utility stands first"


def test_profile_table_shows_before_after_and_share_of_each_allocator(document: dict[str, Any]) -> None:
    lines = printed(document).splitlines()
    math = next(line for line in lines if line.strip().startswith("math"))
    assert math.split() == ["math", "75%", "0.250", "0.500", "50%", "0.500", "50%"]
    tool_use = next(line for line in lines if line.strip().startswith("tool_use"))
    assert tool_use.split() == ["tool_use", "–", "0.250", "0.125", "0%", "0.125", "0%"]


def test_profile_of_many_allocators_is_split_to_the_width(document: dict[str, Any]) -> None:
    assert len(profile_tables(summarise(parsed(document)), width=160)) == 1
    assert len(profile_tables(summarise(parsed(document)), width=60)) == 2


def test_narrow_terminal_gets_the_costs_in_a_table_of_their_own(document: dict[str, Any]) -> None:
    text = printed(document, width=80)
    assert "…" not in text
    assert "0.600±.020" in text
    assert max(len(line.rstrip()) for line in text.splitlines() if "profile" not in line) <= 80
    assert text.count("allocator") == 2


def test_one_seed_has_no_spread(document: dict[str, Any]) -> None:
    document["trials"] = [trial for trial in document["trials"] if trial["seed"] == 0]
    text = printed(document)
    title, _, rest = text.partition("\n")
    assert title.rstrip() == "tiny v1: 10,000 tokens a trial, mean ± sd over 1 seed"
    assert "±" not in rest


def test_hostile_text_is_shown_and_not_obeyed(document: dict[str, Any]) -> None:
    failed = document["trials"][0]
    failed |= {
        "status": "failed",
        "failure": HOSTILE,
        "metrics": None,
        "tokens": None,
        "profile": None,
        "seconds": None,
        "allocation": None,
    }
    document["trials"][5]["allocator"] = HOSTILE
    text = printed(document, width=200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[31mred\x1b[0m [bold]x[/bold] \u202egnp" in text


def test_verdict_names_the_winner_its_margin_and_interval(document: dict[str, Any]) -> None:
    # differences 0.08, 0.10, 0.12: mean 0.1, sd 0.02, t(2, 0.975) = 4.302653 -> half width 0.04968
    assert verdict(summarise(parsed(document))) == [
        "read wins: utility 0.600 (untrained student: 0.250)",
        "+0.100 against uniform, 95 % interval +0.050 to +0.150, paired over 3 seeds",
    ]


def test_verdict_without_separation_says_so(document: dict[str, Any]) -> None:
    document["trials"][3]["metrics"]["utility"] = 0.30
    first, second = verdict(summarise(parsed(document)))
    assert first.startswith("read leads: ")
    assert second.endswith(": these seeds do not separate the two")


def test_two_seeds_give_no_interval(document: dict[str, Any]) -> None:
    document["trials"] = [trial for trial in document["trials"] if trial["seed"] < 2]
    first, second = verdict(summarise(parsed(document)))
    assert first.startswith("read leads: ")
    assert "no interval below 3 seeds (here 2)" in second


def test_closing_lines_of_a_complete_run_say_where_and_what_next(document: dict[str, Any]) -> None:
    lines = closing_lines(summarise(parsed(document)), Path("runs/a run"))
    assert lines[2:] == [
        "24 of the teacher's 30 answers verify (code 50%)",
        "59,400 tokens charged by 6 trials",
        "results: runs/a run/results.json",
        "look:    readbench report 'runs/a run'",
        "next:    readbench compare 'runs/a run' --reference uniform",
    ]


def test_closing_lines_say_what_share_of_the_teacher_s_answers_verifies(document: dict[str, Any]) -> None:
    names = document["suite"]["capabilities"]
    for trial in document["trials"]:
        for interval in trial["intervals"]:
            interval |= {"examples": dict.fromkeys(names, 10), "verified": dict.fromkeys(names, 10) | {names[0]: 0}}
            interval["unverified"] = {names[0]: ["so \u202e it is", "2", "3", "4"]}
    lines = closing_lines(summarise(parsed(document)), Path("r"))
    total = 10 * sum(len(trial["intervals"]) for trial in document["trials"])
    assert lines[2:4] == [
        f"{total * (len(names) - 1)} of the teacher's {total * len(names)} answers verify ({names[0]} 0%)",
        f"warning: none of the teacher's {total} answers to {names[0]} verifies, such as 'so \\u202e it is'; '2'; '3'",
    ]


def test_closing_lines_of_an_incomplete_run_say_how_to_go_on(document: dict[str, Any]) -> None:
    for trial in document["trials"]:
        trial |= {"status": "incomplete", "metrics": None, "tokens": None, "profile": None, "seconds": None, "allocation": None}
    lines = closing_lines(summarise(parsed(document)), Path("r"))
    assert lines[0] == "no trial has a result"
    assert lines[-1] == "next:    readbench resume r"


def test_one_allocator_needs_no_opponent(document: dict[str, Any]) -> None:
    document["trials"] = document["trials"][:3]
    lines = closing_lines(summarise(parsed(document)), Path("r"))
    assert lines[0] == "uniform: utility 0.500 (untrained student: 0.250)"
    assert lines[-1] == "next:    readbench report r"
