"""The report page as text: what stands in it, what must never stand in it."""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from readbench.views.report.page import build
from support.results import parsed

PICTURES = ("differences", "curves", "allocation", "profile", "frontier", "harm", "transfer", "cost")
Only = Callable[..., dict[str, Any]]


class Elements(HTMLParser):
    """Start tags with their attributes, and the contents of style and script elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.contents: dict[str, list[str]] = {"style": [], "script": []}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.contents:
            self.contents[self._open].append(data)


def test_the_documents_of_these_tests_are_what_readbench_writes(document: dict[str, Any]) -> None:
    schema = json.loads((files("readbench.results") / "schemas" / "results-1.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)


def test_every_picture_is_there_with_a_text_alternative(page: str) -> None:
    for anchor in PICTURES:
        section = page[page.index(f'<section id="{anchor}"') :]
        section = section[: section.index("</section>")]
        assert '<svg viewBox="' in section, anchor
        assert re.search(r'<title id="[^"]+">[^<]{10,}</title><desc id="[^"]+">[^<]{20,}</desc>', section), anchor
        assert "<table" in section, f"{anchor}: its numbers as a table"


def test_the_ranks_are_those_of_the_utilities_with_their_costs(document: dict[str, Any], page: str) -> None:
    section = page[page.index('<section id="ranks"') :]
    cells = re.findall(r"<(?:th scope=\"row\"|td)[^>]*><bdi>([^<]*)</bdi>", section[: section.index("</section>")])
    rows = [cells[first : first + 6] for first in range(0, len(cells), 6)]
    means: dict[str, list[float]] = {}
    for trial in document["trials"]:
        if trial["status"] == "complete":
            means.setdefault(trial["allocator"], []).append(trial["metrics"]["utility"])
    best = max(sum(each) / len(each) for each in means.values())
    assert {row[0] for row in rows} == means.keys()
    assert [float(row[1]) for row in rows] == sorted(float(row[1]) for row in rows)
    for name, _, _, regret, overhead, decision in rows:
        assert float(regret) == pytest.approx(best - sum(means[name]) / len(means[name]), abs=6e-4)
        trials = [trial for trial in document["trials"] if trial["allocator"] == name and trial["status"] == "complete"]
        spent = [sum(trial["tokens"][kind] for kind in ("probe", "dev", "eval", "pilot")) for trial in trials]
        assert float(overhead.replace(",", "")) == pytest.approx(sum(spent) / len(spent), abs=1)
        slow = [trial["seconds"]["allocator"] / len(trial["intervals"]) for trial in trials]
        assert float(decision) == pytest.approx(1000 * sum(slow) / len(slow), abs=0.006)


def test_equal_documents_make_equal_bytes(document: dict[str, Any], page: str) -> None:
    assert build(parsed(copy.deepcopy(document))) == page


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_the_policy_allows_the_one_style_sheet_and_the_one_script_and_nothing_else(which: str, request: pytest.FixtureRequest) -> None:
    found = Elements(request.getfixturevalue(which))
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert {kind: len(contents) for kind, contents in found.contents.items()} == {"style": 1, "script": 1}
    hashes = {k: base64.b64encode(hashlib.sha256(c[0].encode()).digest()).decode() for k, c in found.contents.items()}
    style, script = (f"'sha256-{hashes[kind]}'" for kind in ("style", "script"))
    assert policy == f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_no_element_asks_for_anything_outside_or_brings_its_own_style_or_handler(which: str, request: pytest.FixtureRequest) -> None:
    found = Elements(request.getfixturevalue(which))
    assert {tag for tag, _ in found.tags} & {"img", "link", "iframe", "object", "embed", "form", "base", "image", "foreignobject"} == set()
    for tag, attributes in found.tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), f"{tag} {name}"


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_ids_are_unique_and_every_reference_has_its_target(which: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(which)
    found = Elements(page)
    ids = [a["id"] for _, a in found.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in found.tags if a.get("href")}
    wanted |= {name for _, a in found.tags for name in (a.get("aria-labelledby") or "").split()}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted - set(ids) == set()


def test_what_others_wrote_is_text(hostile_page: str, page: str) -> None:
    tags, hostile_tags = (sorted({tag for tag, _ in Elements(p).tags}) for p in (page, hostile_page))
    assert set(hostile_tags) - set(tags) <= {"strong"}, "no string became an element; the warning of an incomplete run is ours"
    assert "{{ 7 * 7 }}" in hostile_page
    assert not [c for c in hostile_page if not c.isprintable() and c != "\n"], "control characters are shown as escapes"


def test_an_incomplete_run_says_first_what_is_missing(document: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))
    document["trials"][0] |= {"status": "failed", "failure": "the loss is not finite"} | nothing
    document["trials"][5] |= {"status": "incomplete", "intervals": []} | nothing
    page = build(parsed(document))
    assert "Incomplete: 2 of 12 trials have no result." in page
    assert page.index("the loss is not finite") < page.index('id="numbers"')


def test_one_seed_gets_a_report_without_intervals_that_says_so(only: Only) -> None:
    page = build(parsed(only("read", "uniform", seeds=1)))
    assert "One seed: no intervals are given." in page
    assert "95 % interval +" not in page
    assert page.count('<svg viewBox="') > len(PICTURES)


def test_two_seeds_are_too_few_as_well(only: Only) -> None:
    assert "2 seeds: no intervals are given." in build(parsed(only("read", "uniform", seeds=2)))


def test_one_allocator_is_compared_with_none(only: Only) -> None:
    page = build(parsed(only("read", seeds=4)))
    assert 'id="differences"' not in page
    assert 'id="curves"' in page


def test_expectations_are_drawn_for_an_allocator_that_says_how_uncertain_it_is(document: dict[str, Any]) -> None:
    assert 'id="decisions"' not in build(parsed(document))
    for trial in document["trials"]:
        for interval in trial["intervals"] if trial["allocator"] != "uniform" else ():
            known = {"candidates": 9, "chosen": 0.01 * interval["interval"], "spread": 0.002}
            uncertain = 0.03 if trial["allocator"] == "read" else 0.0  # a planner does not know how uncertain it is
            interval["reward"] = 0.1 + 0.01 * interval["interval"]
            interval["expected"] = None if interval["interval"] == 0 else known | {"uncertainty": uncertain}
    page = build(parsed(document))
    section = page[page.index('id="decisions"') : page.index('id="profile"')]
    assert "spread 0.0020, uncertainty 0.0300" in section
    assert "+1.00" in section  # expectations rise with the rewards
    assert "one-hot" not in section


def test_figures_of_the_objective_are_drawn_where_there_are_some(document: dict[str, Any]) -> None:
    assert 'id="samples"' not in build(parsed(document))
    for trial in document["trials"]:
        for interval in trial["intervals"]:
            number = interval["interval"]
            if trial["allocator"] == "read":
                interval["figures"] = {"reward": 0.1 * number, "mine": 2.0}
            elif trial["allocator"] == "uniform" and number > 2:  # after a warm-up
                interval["figures"] = {"reward": 0.75}
    page = build(parsed(document))
    section = page[page.index('id="samples"') : page.index('id="cost"')]
    assert section.index(">reward<") < section.index(">mine<")  # the known ones first
    assert "In the last interval: " in section
    assert "read 0.400" in section
    assert "uniform 0.750" in section
    table = section[section.index("<table") :]
    assert re.search(r"read.*?0\.200.*?2\.000", table, re.DOTALL)
    assert re.search(r"uniform.*?0\.750", table, re.DOTALL)


def test_tokens_and_time_of_own_answers_are_shown_where_there_were_some(document: dict[str, Any]) -> None:
    def costs(page: str) -> str:
        return page[page.index('<section id="cost"') :]

    assert "rollout</" not in costs(build(parsed(document)))
    for trial in document["trials"]:
        trial["tokens"]["rollout"], trial["seconds"]["rollout"] = 123, 0.75
    page = costs(build(parsed(document)))
    assert "123" in page
    assert "0.75" in page
    assert page.count("rollout</") > 2


def test_one_capability_makes_a_page(document: dict[str, Any]) -> None:
    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            others = {"code", "tool_use", "reasoning", "general_knowledge"}
            return {k: cut(v) for k, v in value.items() if k not in others or "math" not in value}
        return [cut(item) for item in value] if isinstance(value, list) else value

    alone = cut(document)
    alone["suite"] |= {"capabilities": ["math"], "requirement": {"math": 1.0}}
    for interval in (i for t in alone["trials"] for i in t["intervals"]):
        interval["allocation"] = {"math": 1.0}
    assert "math 100%" in build(parsed(alone))


def test_a_teacher_without_logits_or_answers_is_left_out(document: dict[str, Any]) -> None:
    document["start"]["teacher_profile"] = None
    for example in document["start"]["examples"]:
        example["teacher"] = None
    page = build(parsed(document))
    assert "<bdi>teacher</bdi></dt><dd><pre" not in page


def test_trials_that_ended_after_unequal_numbers_of_intervals_share_the_common_ones(document: dict[str, Any]) -> None:
    document["trials"][0]["intervals"].pop()
    assert 'id="curves"' in build(parsed(document))


def test_examples_count_the_seeds_that_gave_the_right_answer(document: dict[str, Any]) -> None:
    for trial in document["trials"]:
        trial["answers"]["math"] = " 4\n" if trial["seed"] != 1 else "<b>5</b>"
    page = build(parsed(document))
    assert "3 of 4 right" in page
    assert "<b>5</b>" not in page


def contrast(first: str, second: str) -> float:
    """WCAG 2.2 contrast of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", range(3), ids=["light", "dark", "print"])
def test_colours_have_the_contrast_that_wcag_asks_for(theme: int) -> None:
    css = (files("readbench.views.report") / "assets" / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]))
    for name in ("ink", "muted", "accent", "right", "wrong"):
        assert contrast(colours[name], colours["surface"]) >= 4.5, name
    for name in ("muted", "ink"):
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    assert contrast(colours["warn"], colours["warn-soft"]) >= 4.5
    assert contrast(colours["accent"], colours["accent-soft"]) >= 4.5
    for name in ("gain", "loss", "other", "n1", "n2", *(f"s{i}" for i in range(1, 9))):
        assert contrast(colours[name], colours["surface"]) >= 3.0, name
