"""The report page in headless Chromium, opened from a file: quiet, offline, sortable, whole at every width, deaf to hostile text.

Debian's chromium, driven by Playwright. In CI its absence is a failure; elsewhere these tests are skipped.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PANELS = 1 + 3 + 3 + 3 + 1 + 3 + 1 + 2  # differences, curves, allocation, profile, frontier, harm, transfer, cost: three allocators


@dataclass
class Opened:
    """A page and everything that it did unasked."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def is_quiet(self) -> bool:
        return not self.console and not self.requests and not self.dialogs


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        message = "no chromium: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page's text as a file, with everything that it says or asks for written down."""
    pages: list[Page] = []

    def call(text: str, *, width: int = 1280, scheme: str = "light", javascript: bool = True) -> Opened:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=javascript,
        )
        pages.append(page)
        done = Opened(page)
        page.on("console", lambda message: done.console.append(message.text))
        page.on("pageerror", lambda error: done.console.append(str(error)))
        page.on("request", lambda request: done.requests.append(request.url) if request.url != file.as_uri() else None)
        page.on("dialog", lambda dialog: (done.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(file.as_uri())
        return done

    yield call
    for page in pages:
        page.close()


def test_it_opens_from_a_file_without_a_message_or_a_request_and_every_picture_is_there(opened: Open, page: str) -> None:
    report = opened(page)
    assert report.page.locator("svg[role=img]").count() == PANELS
    sizes = report.page.evaluate(
        "[...document.querySelectorAll('svg[role=img]')].map(s => s.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert all(width > 200 and height > 60 for width, height in sizes)
    assert report.page.evaluate("document.fonts.size") == 0
    assert report.is_quiet()


def test_no_text_of_a_picture_leaves_its_frame(opened: Open, page: str) -> None:
    beyond = """[...document.querySelectorAll('svg[role=img]')].flatMap(svg => { const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].filter(text => { const r = text.getBoundingClientRect();
        return r.left < frame.left - 2 || r.right > frame.right + 2 || r.top < frame.top - 2 || r.bottom > frame.bottom + 2; })
        .map(text => svg.querySelector('title').textContent + ': ' + text.textContent); })"""
    assert opened(page).page.evaluate(beyond) == []


def test_tables_sort_by_mouse_and_by_keyboard_in_both_directions(opened: Open, page: str) -> None:
    report = opened(page)
    column = "[...document.querySelectorAll('#numbers tbody tr')].map(row => Number(row.cells[7].dataset.key))"
    button = report.page.locator("#numbers thead th:nth-child(8) button")
    button.click()
    falling = report.page.evaluate(column)
    assert falling == sorted(falling, reverse=True)
    assert report.page.locator("#numbers thead th:nth-child(8)").get_attribute("aria-sort") == "descending"
    button.press("Enter")
    assert report.page.evaluate(column) == sorted(falling)
    assert report.page.locator("#numbers thead th:nth-child(8)").get_attribute("aria-sort") == "ascending"
    report.page.locator("#numbers thead th:first-child button").click()
    names = report.page.evaluate("[...document.querySelectorAll('#numbers tbody th')].map(cell => cell.textContent)")
    assert names == ["one-hot", "read", "uniform"]
    assert report.page.locator("#numbers thead th[aria-sort]").count() == 1
    assert report.is_quiet()


@pytest.mark.parametrize("which", ["page", "hostile_page"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_never_scrolls_sideways(opened: Open, request: pytest.FixtureRequest, which: str, width: int) -> None:
    report = opened(request.getfixturevalue(which), width=width)
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('h1, h2, h3, p, dd, dt, figure, article, .scroll')]"
    beyond = f"{boxes}.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    assert report.page.evaluate(beyond) == []


def test_hostile_text_runs_nothing_asks_for_nothing_and_covers_nothing(opened: Open, hostile_page: str, hostile: dict[str, Any]) -> None:
    report = opened(hostile_page)
    for button in report.page.locator("thead th:first-child button").all():
        button.evaluate("button => button.click()")
    assert report.page.evaluate("window.__pwned") is None
    figures = hostile["trials"][1]["intervals"][0]["figures"]  # a panel each, with a hostile name
    assert report.page.locator("svg[role=img]").count() == PANELS + len(figures)
    assert report.page.evaluate("getComputedStyle(document.querySelector('#numbers bdi')).position") == "static"
    assert report.is_quiet()


def test_the_policy_stops_what_would_get_in_all_the_same(opened: Open, page: str) -> None:
    report = opened(page)
    report.page.evaluate(
        """() => { window.stopped = []; addEventListener('securitypolicyviolation', e => window.stopped.push(e.effectiveDirective));
        const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
        add('script', {textContent: 'window.__pwned = 1'}); add('style', {textContent: 'body { display: none }'});
        add('img', {src: 'https://example.invalid/x.png'}); fetch('https://example.invalid/').catch(() => 0); }"""
    )
    report.page.wait_for_function("window.stopped.length >= 4")
    assert report.page.evaluate("window.__pwned") is None
    assert report.page.evaluate("getComputedStyle(document.body).display") != "none"
    assert set(report.page.evaluate("window.stopped")) == {"script-src-elem", "style-src-elem", "img-src", "connect-src"}


def test_the_dark_page_recolours_its_pictures(opened: Open, page: str) -> None:
    ink = "getComputedStyle(document.querySelector('svg .f-ink')).fill"
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(page), opened(page, scheme="dark")
    assert light.page.evaluate(background) == "rgb(255, 255, 255)"
    assert dark.page.evaluate(background) == "rgb(16, 19, 24)"
    assert light.page.evaluate(ink) != dark.page.evaluate(ink)


def test_print_shows_everything_in_light(opened: Open, page: str) -> None:
    report = opened(page, scheme="dark")
    report.page.emulate_media(media="print", color_scheme="dark")
    assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert report.page.locator("nav").is_hidden()
    assert report.page.locator("details").count() > 3
    assert report.page.evaluate("[...document.querySelectorAll('details table')].filter(table => !table.checkVisibility()).length") == 0


def test_without_scripts_it_is_whole(opened: Open, page: str) -> None:
    report = opened(page, javascript=False)
    assert report.page.locator("svg[role=img]").count() == PANELS
    assert report.page.locator("#numbers td").first.is_visible()
    assert report.page.locator("button").count() == 0, "no button that does nothing"


def test_the_keyboard_reaches_the_results_first(opened: Open, page: str) -> None:
    report = opened(page)
    report.page.keyboard.press("Tab")
    assert report.page.evaluate("document.activeElement.className") == "skip"
    assert report.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    report.page.keyboard.press("Enter")
    report.page.wait_for_url("**#main")  # the browser follows the link in its own time
