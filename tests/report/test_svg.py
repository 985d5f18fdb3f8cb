"""Drawings become SVG that a strict policy allows, a style sheet colours, and no name can break."""

from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from readbench.views.report.pictures.drawing.svg import ACCENT, SERIES, SURFACE, axes, draw


def paint(figure: Figure) -> None:
    plot = axes(figure, left=10, right=10, top=10, bottom=20)
    plot.plot([0, 1], [0, 1], color=ACCENT, marker="o")
    plot.bar([0.5], [1], facecolor=SERIES[0], hatch="//", hatchcolor=SURFACE)
    plot.text(0, 0, "$a<b$ & 世界")


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - drawn here


@pytest.fixture
def drawn() -> str:
    return draw(paint, width=200, height=100, key="k", title="A <title>", description="Its & numbers")


def test_styles_become_attributes_and_placeholders_become_classes(drawn: str) -> None:
    assert "style" not in drawn
    assert "#0000" not in drawn
    classes = {name for element in parse(drawn).iter() for name in element.get("class", "").split()}
    assert {"k-accent", "f-s1", "k-surface"} <= classes


def test_ids_carry_the_pictures_key_and_only_used_ones_are_kept(drawn: str) -> None:
    ids = {element.get("id") for element in parse(drawn).iter()} - {None}
    assert all(str(name).startswith("k-") for name in ids)
    assert {"k-t", "k-d"} < ids
    assert all(name in {"k-t", "k-d"} or drawn.count(f"#{name}") for name in ids)


def test_title_and_description_are_its_text_alternative(drawn: str) -> None:
    root = parse(drawn)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "k-t k-d"
    assert [root[0].text, root[1].text] == ["A <title>", "Its & numbers"]


def test_a_name_with_dollar_signs_is_no_formula_and_unknown_letters_no_warning(drawn: str) -> None:
    assert any(element.text == "$a<b$ & 世界" for element in parse(drawn).iter("text"))


def test_the_same_drawing_gives_the_same_bytes(drawn: str) -> None:
    assert draw(paint, width=200, height=100, key="k", title="A <title>", description="Its & numbers") == drawn


def test_a_decoration_is_hidden_from_assistive_technology() -> None:
    swatch = draw(lambda f: f.add_artist(Rectangle((0, 0), 1, 1, facecolor=SERIES[0])), width=20, height=10, key="k", decorative=True)
    assert 'aria-hidden="true"' in swatch
    assert "<title" not in swatch


def test_drawing_leaves_the_users_matplotlib_settings_alone(drawn: str) -> None:
    assert drawn
    assert mpl.rcParams["svg.fonttype"] == mpl.rcParamsDefault["svg.fonttype"]
    assert mpl.rcParams["text.parse_math"] is True
