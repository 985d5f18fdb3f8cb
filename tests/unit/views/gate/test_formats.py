"""What CI systems read: valid whatever the names hold, and never obeyed."""

import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from readbench.base.errors import SurroundingError
from readbench.suites.metric_names import Metric
from readbench.views.gate.formats.github import annotations, append_summary, on_github
from readbench.views.gate.formats.junit import junit_xml
from readbench.views.gate.formats.markdown import escaped, markdown
from readbench.views.gate.formats.table import print_outcome
from readbench.views.gate.formats.wording import headline, numbers, why_inconclusive
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import judge

UTILITY = Metric("utility", True, "primary")
BASELINE = {0: 0.50, 1: 0.52, 2: 0.48}
HOSTILE = "x|`<b>&\"'\x00\x1b[31m\n::error::%0A\ud800\uffff]]> @me #1 [l](u) *_~\\"


def outcome_of(*, inconclusive: str = "warn", **runs: tuple[float, ...]) -> Outcome:
    """An allocator a keyword, with its shifts by seed."""
    return Outcome(
        suite="tiny v1",
        run="a-run",
        verdicts=tuple(
            judge(name, UTILITY, {seed: BASELINE[seed] + shift for seed, shift in enumerate(shifts)}, BASELINE, margin=0.02)
            for name, shifts in runs.items()
        ),
        margins=(),
        changes=("training.learning_rate 0.001 → 0.0001",),
        same_config=False,
        same_bits=True,
        new_allocators=("new",),
        inconclusive=inconclusive,  # type: ignore[arg-type]
    )


def parsed(outcome: Outcome) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(outcome))  # noqa: S314 - our own


MIXED = {"good": (0.0, 0.0, 0.0), "bad": (-0.10, -0.11, -0.12), "unsure": (-0.3, 0.1, 0.0)}


@pytest.fixture
def mixed() -> Outcome:
    return outcome_of(**MIXED)


@pytest.fixture
def hostile(mixed: Outcome) -> Outcome:
    verdicts = tuple(replace(verdict, allocator=HOSTILE, metric=HOSTILE) for verdict in mixed.verdicts)
    return replace(mixed, suite=HOSTILE, run=HOSTILE, verdicts=verdicts, changes=(HOSTILE,), new_allocators=(HOSTILE,))


def test_the_worst_verdict_decides() -> None:
    assert outcome_of(a=(0, 0, 0)).exit_code == 0
    assert outcome_of(a=(0, 0, 0), b=(0.01, 0.02, 0.01)).status == "pass"
    unsure = outcome_of(a=(0.01, 0.02, 0.01), b=MIXED["unsure"])
    assert (unsure.status, unsure.exit_code, replace(unsure, inconclusive="fail").exit_code) == ("inconclusive", 0, 3)
    worst = outcome_of(**MIXED)
    assert (worst.status, worst.exit_code, replace(worst, inconclusive="fail").exit_code) == ("regression", 1, 1)


def test_junit_has_one_case_per_allocator_and_metric(mixed: Outcome) -> None:
    root = parsed(mixed)
    (suite,) = root
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["skipped"]) == ("3", "1", "1")
    cases = {case.attrib["classname"]: {child.tag for child in case} for case in suite.iter("testcase")}
    assert cases == {"good": {"system-out"}, "bad": {"failure", "system-out"}, "unsure": {"skipped", "system-out"}}
    assert "margin 0.02, 3 seeds" in suite.findtext("testcase/system-out", "")


def test_junit_counts_inconclusive_as_a_failure_where_the_gate_does() -> None:
    root = parsed(outcome_of(inconclusive="fail", **MIXED))
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("2", "0")
    assert len(list(root.iter("failure"))) == 2


def test_junit_is_valid_xml_whatever_a_name_holds(hostile: Outcome) -> None:
    root = parsed(hostile)
    case = next(root.iter("testcase"))
    assert case.attrib["classname"].startswith("x|`<b>&\"'\\x00\\x1b[31m\\n::error::")
    assert "\\ud800\\uffff" in case.attrib["classname"]


def test_markdown_is_a_table_below_the_marker(mixed: Outcome) -> None:
    assert markdown(mixed) == (
        "<!-- readbench -->\n"
        "### readbench check: regression\n"
        "\n"
        "tiny v1, run a-run\n"
        "\n"
        "**regression: bad utility**\n"
        "\n"
        "| verdict | allocator | metric | baseline | run | improvement | one-sided 95 % bounds | margin | seeds |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| **identical** | good | utility | 0.5000 | 0.5000 | +0.0000 | +0.0000 to +0.0000 | 0.02 | 3 |\n"
        "| **regression** | bad | utility | 0.5000 | 0.3900 | -0.1100 | -0.1269 to -0.0931 | 0.02 | 3 |\n"
        "| **inconclusive** | unsure | utility | 0.5000 | 0.4333 | -0.0667 | -0.4176 to +0.2843 | 0.02 | 3 |\n"
        "\n"
        "- changed since the baseline: training.learning_rate 0.001 → 0.0001\n"
        "- inconclusive: unsure utility: 3 seeds can tell a loss of 0.478 from none, a loss of 0.02 needs 672 seeds (80 % power)\n"
        "- warning: not in the baseline, so not gated: new\n"
    )


def test_markdown_shows_what_a_name_holds_and_obeys_none_of_it(hostile: Outcome) -> None:
    text = markdown(hostile)
    assert escaped("a|b") == "a&#124;b"
    assert escaped("@me #1") == "&#64;<!-- -->me &#35;<!-- -->1"
    assert escaped("profile_gain _x_") == "profile_gain &#95;x&#95;"
    without_comments = text.replace("<!-- readbench -->", "").replace("<!-- -->", "")
    assert not set("<>`[]\\@~\x00\x1b") & set(without_comments)
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    assert [row.count("|") for row in rows] == [10, 10, 10]


def test_annotations_are_one_command_a_line(mixed: Outcome, hostile: Outcome) -> None:
    lines = annotations(mixed)
    assert [line.split(" ", 1)[0] for line in lines] == ["::error", "::warning", "::warning"]
    assert lines[0].startswith("::error title=readbench check::bad utility: regression: 0.5000 → 0.3900")
    assert "95 %25 bounds" in lines[0]
    for line in annotations(hostile):
        assert line.isprintable()
        assert "%0A::error::%250A" in line
    failing = annotations(replace(mixed, inconclusive="fail"))
    assert [line.split(" ", 1)[0] for line in failing] == ["::error", "::error", "::warning"]


def test_the_table_in_a_terminal_shows_names_and_obeys_none(hostile: Outcome) -> None:
    stream = io.StringIO()
    print_outcome(Console(file=stream, width=400, markup=False, highlight=False, emoji=False), hostile)
    assert "\x1b" not in stream.getvalue()
    assert "\x00" not in stream.getvalue()
    assert "[31m" in stream.getvalue()


def test_what_is_said_of_an_inconclusive_verdict() -> None:
    (two,) = outcome_of(a=(-0.05, 0.01)).verdicts
    assert why_inconclusive(two) == "2 seeds can tell a loss of 0.246 from none, a loss of 0.02 needs 30 seeds (80 % power)"
    (steady,) = outcome_of(a=(-0.05, -0.05)).verdicts
    assert "a loss of 0.02 needs 3 seeds" in why_inconclusive(steady)
    (wild,) = outcome_of(a=(-5.0, 5.0, 0.0)).verdicts
    assert "more than 1000 would be needed" in why_inconclusive(wild)
    (close,) = outcome_of(a=(-0.019, -0.022, -0.016)).verdicts
    assert "but what they show lies between none and the margin of 0.02" in why_inconclusive(close)


def test_the_last_bits_of_another_machine_are_shown_and_not_rounded_away() -> None:
    (verdict,) = outcome_of(a=(3e-8, 4e-8, 2e-8)).verdicts
    assert "improvement +3e-08, one-sided 95 % bounds +1e-08 to +5e-08" in numbers(verdict)


def test_identical_says_whether_the_config_is_too() -> None:
    outcome = outcome_of(a=(0, 0, 0))
    assert headline(outcome).endswith("bit for bit")
    assert headline(replace(outcome, same_config=True, same_bits=True)).endswith("and so is the config")
    elsewhere = headline(replace(outcome, same_bits=False))
    assert elsewhere == "identical: every value is the baseline's, on a machine that is not known to compute the baseline's bits"


def test_github_is_known_by_its_variables() -> None:
    assert on_github({"GITHUB_ACTIONS": "true"})
    assert on_github({"GITHUB_STEP_SUMMARY": "x"})
    assert not on_github({"GITHUB_ACTIONS": "false", "GITHUB_STEP_SUMMARY": ""})


def test_the_summary_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("of another step\n")
    append_summary(path, "ours\n")
    assert path.read_text() == "of another step\nours\n"
    with pytest.raises(SurroundingError, match="the job's summary"):
        append_summary(tmp_path, "ours\n")
